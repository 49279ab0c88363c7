import { describe, expect, it, vi } from "vitest";
import { ExecutionStore, fold, RunroomError, type Scheduler, type StoreOptions } from "../../src";
import { ID, log, node, numbered, SUCCESS, start, status } from "../support/events";
import { FakeSource, Frames } from "../support/source";

function open(options: StoreOptions = {}) {
  const source = new FakeSource();
  const frames = new Frames();
  const store = new ExecutionStore(ID, source, frames as unknown as Scheduler, options);
  return { store, source, frames, shown: () => store.getSnapshot() };
}

const settle = async () => {
  for (let n = 0; n < 5; n += 1) await Promise.resolve();
};
const END = fold(start(), SUCCESS);

it("folds what comes, and shows it once a frame", () => {
  const { store, source, frames, shown } = open();
  const told = vi.fn();
  store.subscribe(told);
  expect(shown()).toMatchObject({ phase: "loading", state: null, version: 0 });
  source.stream.sink.started(start(), 0);
  const before = shown();
  source.send(...SUCCESS.slice(0, 3));
  expect(shown()).toBe(before);
  expect(told).not.toHaveBeenCalled();
  frames.flush();
  expect(shown()).toMatchObject({ phase: "live", seq: 3, head: 3, version: 1 });
  expect(shown().state).toEqual(fold(start(), SUCCESS.slice(0, 3)));
  expect(told).toHaveBeenCalledTimes(1);
  source.send(...SUCCESS.slice(3));
  frames.flush();
  expect(shown()).toMatchObject({ phase: "ended", seq: 13, progress: 100, error: null });
  expect(shown().state).toEqual(END);
  expect([told.mock.calls.length, frames.waiting]).toEqual([2, 0]);
});

it("names the nodes that a flush has changed, and tells who listens to them", () => {
  const { store, source, frames, shown } = open();
  source.stream.sink.started(start(), 0);
  frames.flush();
  const [a, b] = [vi.fn(), vi.fn()];
  const changes: string[][] = [];
  store.subscribeNode("a", a);
  const undo = store.subscribeNode("b", b);
  store.subscribe(({ nodes }) => void changes.push([...nodes]));
  const untouched = store.getNode("b");
  source.send(...SUCCESS.slice(0, 4));
  frames.flush();
  expect([a.mock.calls.length, b.mock.calls.length]).toEqual([1, 0]);
  expect(store.getNode("b")).toBe(untouched);
  expect(store.getNode("a")?.status).toBe("completed");
  source.send(...SUCCESS.slice(4, 7));
  frames.flush();
  expect([...shown().dirtyNodes]).toEqual(["b"]);
  undo();
  source.send(...SUCCESS.slice(7));
  frames.flush();
  expect([a.mock.calls.length, b.mock.calls.length]).toEqual([1, 1]);
  expect(changes).toEqual([["a"], ["b"], ["b"]]);
  expect(store.getNode("__proto__")).toBeUndefined();
});

it("shows the server's snapshot at once, and the fold once it has got there", () => {
  const { source, frames, shown, store } = open();
  source.stream.sink.started(END, 13);
  frames.flush();
  expect(shown()).toMatchObject({ phase: "catching-up", seq: 0, head: 13, state: END });
  source.send(...SUCCESS.slice(0, 12));
  frames.flush();
  expect(shown()).toMatchObject({ phase: "catching-up", seq: 12, state: { status: "completed" } });
  source.send(SUCCESS[12]!);
  frames.flush();
  expect(shown()).toMatchObject({ phase: "ended", seq: 13, state: END });
  expect(store.logs.length).toBe(3);
  expect(store.timeline.of("b")).toHaveLength(2);
});

it("goes on when it is told of a newer snapshot after a loss", () => {
  const { source, frames, shown } = open();
  source.stream.sink.started(start(), 0);
  source.send(...SUCCESS.slice(0, 4));
  frames.flush();
  source.stream.sink.started(END, 13);
  frames.flush();
  expect(shown()).toMatchObject({ phase: "catching-up", seq: 4, state: { status: "completed" } });
  source.send(...SUCCESS.slice(4));
  frames.flush();
  expect(shown()).toMatchObject({ phase: "ended", state: END });
});

it("fetches the snapshot if it was too long to come along, and keeps the events meanwhile", async () => {
  const { source, frames, shown } = open();
  source.stream.sink.started(null, 4);
  source.send(...SUCCESS.slice(0, 2));
  source.stream.sink.started(null, 4);
  expect(source.asked).toHaveLength(1);
  source.asked[0]!.resolve(fold(start(), SUCCESS.slice(0, 4)));
  await settle();
  frames.flush();
  expect(shown()).toMatchObject({ phase: "catching-up", seq: 2, state: { seq: 4 } });
  source.send(...SUCCESS.slice(2));
  frames.flush();
  expect(shown().state).toEqual(END);
});

describe("without history", () => {
  it("starts at the snapshot", async () => {
    const { store, source, frames, shown } = open({ history: false });
    expect(source.opened).toHaveLength(0);
    const present = fold(start(), SUCCESS.slice(0, 9));
    source.asked[0]!.resolve(present);
    await settle();
    expect(source.stream.after).toBe(9);
    source.stream.sink.started(present, 9);
    frames.flush();
    expect(shown()).toMatchObject({ phase: "live", seq: 9, state: present });
    expect(store.timeline.of("b")).toMatchObject([{ try: 2, endedAt: null, status: "running" }]);
    source.send(...SUCCESS.slice(9));
    frames.flush();
    expect(shown().state).toEqual(END);
    expect(store.logs.length).toBe(0);
  });

  it("begins again with the first event once history is wanted", async () => {
    const { store, source, frames, shown } = open({ history: false });
    source.asked[0]!.resolve(fold(start(), SUCCESS.slice(0, 9)));
    await settle();
    source.send(...SUCCESS.slice(9, 11));
    frames.flush();
    store.requireHistory();
    store.requireHistory();
    expect(source.stream.restarts).toEqual([0]);
    frames.flush();
    // what was shown does not go back
    expect(shown()).toMatchObject({ state: { seq: 11, progress: 100 } });
    source.stream.sink.started(END, 13);
    source.send(...SUCCESS);
    frames.flush();
    expect(shown()).toMatchObject({ phase: "ended", state: END });
    expect([store.logs.length, store.timeline.of("b").length]).toEqual([3, 2]);
  });

  it("says why there is no snapshot", async () => {
    const { source, frames, shown } = open({ history: false });
    source.asked[0]!.reject(new RunroomError("not_found", "no such execution"));
    await settle();
    frames.flush();
    expect(shown()).toMatchObject({ phase: "error", error: { code: "not_found" } });
  });

  it("asks for the snapshot again while the server cannot be reached", async () => {
    vi.useFakeTimers();
    const { store, source, frames, shown } = open({ history: false });
    source.asked[0]!.reject(new RunroomError("unreachable", "the server cannot be reached"));
    await settle();
    frames.flush();
    expect(shown()).toMatchObject({ phase: "loading", error: null });
    await vi.advanceTimersByTimeAsync(1_000);
    const wait = { retryAfterMs: 3_000 };
    source.asked[1]!.reject(new RunroomError("unavailable", "not now", wait));
    await vi.advanceTimersByTimeAsync(2_999);
    expect(source.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    source.asked[2]!.resolve(fold(start(), SUCCESS.slice(0, 4)));
    await settle();
    frames.flush();
    expect(shown()).toMatchObject({ phase: "live", seq: 4 });
    expect(source.stream.after).toBe(4);
    const other = open({ history: false });
    other.source.asked[0]!.reject(new RunroomError("unreachable", "still not"));
    await settle();
    other.store.close();
    store.close();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
});

it("forgets all and folds again when the server's log is shorter", () => {
  const { store, source, frames, shown } = open();
  source.stream.sink.started(start(), 0);
  source.send(...SUCCESS);
  frames.flush();
  source.stream.sink.started(fold(start(), SUCCESS.slice(0, 4)), 4);
  source.stream.sink.reset("ahead");
  source.send(...SUCCESS.slice(0, 3));
  frames.flush();
  expect(shown()).toMatchObject({ phase: "catching-up", seq: 3, head: 4 });
  expect(shown().state?.status).toBe("running");
  source.send(SUCCESS[3]!);
  frames.flush();
  expect(shown()).toMatchObject({ phase: "live", seq: 4 });
  expect(store.logs.length).toBe(1);
});

it("reads a log that does not fold once more, then says so", () => {
  const { source, frames, shown } = open();
  source.stream.sink.started(start(), 0);
  const [running] = SUCCESS;
  source.send(running!, ...numbered([node("a", "completed")], 1));
  expect(source.stream.restarts).toEqual([0]);
  source.stream.sink.started(start(), 2);
  source.send(running!, ...numbered([node("a", "running")], 1));
  frames.flush();
  expect(shown()).toMatchObject({ phase: "live", seq: 2, error: null });
  source.send(...numbered([node("a", "skipped")], 2));
  frames.flush();
  expect(shown()).toMatchObject({ phase: "error", error: { code: "invalid" } });
  expect(source.stream.closed).toBe(true);
});

it("shows who watches, who works, and that it is over", () => {
  const { source, frames, shown } = open();
  const { sink } = source.stream;
  const alive = { executorId: "e1", state: "alive", lastSeenAt: "now" } as const;
  sink.started({ ...start(), executor: alive }, 0);
  const presence = { executionId: ID, count: 1, viewers: [{ id: "ada", name: "Ada", count: 2 }] };
  sink.presence(presence);
  source.send(SUCCESS[0]!);
  frames.flush();
  expect(shown()).toMatchObject({ presence, executor: alive, state: { executor: alive } });
  sink.executor({ executionId: ID, executorId: "e1", state: "lost" });
  frames.flush();
  expect(shown().executor).toMatchObject({ executorId: "e1", state: "lost" });
  expect(shown().state?.executor).toEqual(shown().executor);
  expect(shown().dirtyNodes.size).toBe(0);
  source.send(...SUCCESS.slice(1));
  frames.flush();
  expect(shown()).toMatchObject({ executor: null, phase: "ended" });
  sink.reset("deleted");
  frames.flush();
  expect(shown()).toMatchObject({ phase: "deleted", state: END });
});

it("counts the time with the server's clock, and stands still without a connection", () => {
  const { store, source, frames } = open();
  expect(store.duration()).toEqual({ ms: null, ticking: false });
  source.stream.sink.started(start(), 0);
  source.send(SUCCESS[0]!);
  frames.flush();
  const began = Date.parse(SUCCESS[0]!.timestamp);
  expect(store.duration(began + 5_000)).toEqual({ ms: 5_000, ticking: true });
  source.connect({ clockOffset: 200 });
  frames.flush();
  expect(store.duration(began + 5_000)).toEqual({ ms: 5_200, ticking: true });
  source.connect({ state: "reconnecting", lostAt: began + 6_000 });
  frames.flush();
  expect(store.duration(began + 60_000)).toEqual({ ms: 6_200, ticking: false });
  source.connect({ state: "connected", lostAt: null });
  source.send(...SUCCESS.slice(1));
  frames.flush();
  expect(store.duration()).toEqual({ ms: 12_000, ticking: false });
});

it("keeps its views up to date, flush by flush", () => {
  const { store, source, frames, shown } = open({ log: { capacity: 2 } });
  source.stream.sink.started(start(), 0);
  const view = store.view({ levels: ["warning"] });
  source.send(...SUCCESS.slice(0, 8));
  expect(view.length).toBe(0);
  frames.flush();
  expect(view.at(0)?.message).toBe("careful");
  expect(shown().logs).toEqual({ first: 0, end: 2, dropped: 0 });
  const { logs } = shown();
  source.send(...SUCCESS.slice(8));
  frames.flush();
  expect(shown().logs).toEqual({ first: 1, end: 3, dropped: 1 });
  expect(shown().logs).not.toBe(logs);
  store.clearLogs();
  frames.flush();
  expect([view.length, store.logs.length]).toEqual([0, 0]);
});

it("does nothing more once it is closed", async () => {
  const { store, source, frames, shown } = open();
  source.stream.sink.started(null, 0);
  store.close();
  source.asked[0]!.resolve(start());
  await settle();
  source.send(SUCCESS[0]!);
  source.connect({ state: "error" });
  expect([source.stream.closed, frames.waiting, shown().version]).toEqual([true, 0, 0]);
});

it("takes thousands of events a second lightly", () => {
  const ids = Array.from({ length: 500 }, (_, n) => `n${n}`);
  const { store, source, frames, shown } = open();
  source.stream.sink.started(start(ids), 0);
  const payloads: object[] = [status("running")];
  for (let second = 0; second < 2; second += 1) {
    for (const id of ids) payloads.push(node(id, second === 0 ? "running" : "completed"));
    for (let n = 0; n < 2_500; n += 1)
      payloads.push(log(`line ${n} `.repeat(10), { nodeId: "n1" }));
  }
  const events = numbered(payloads);
  const began = performance.now();
  for (let from = 0; from < events.length; from += 100) {
    for (const event of events.slice(from, from + 100)) source.stream.sink.event(event);
    frames.flush();
  }
  const took = performance.now() - began;
  expect(shown().seq).toBe(events.length);
  expect(store.logs.length).toBe(5_000);
  // a second's worth: generous, so that it fails for a reason only
  expect(took).toBeLessThan(1_000);
});
