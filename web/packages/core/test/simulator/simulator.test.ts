import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Event, fold, initial, isTerminal, SAMPLE_WORKFLOW, Simulator } from "../../src";
import { seeded } from "../../src/simulator/random";
import { numbered as number, script } from "../../src/simulator/script";
import { at, record } from "../support/events";

const graph = (when: string | null = null) => {
  const made = record(["one", "two", "three", "four"]);
  const edge = (source: string, target: string) => ({ source, target, when });
  const edges = [
    edge("one", "two"),
    edge("one", "three"),
    edge("two", "four"),
    edge("three", "four"),
  ];
  return { ...made, graph: { ...made.graph, edges } };
};

function events(seed: number, failureRate: number, when: string | null = null): Event[] {
  const made = graph(when);
  const steps = script(made, seeded(seed), failureRate);
  expect(steps.every((step, n) => n === 0 || step.at >= steps[n - 1]!.at)).toBe(true);
  return steps.map((step, n) => number(made, step.event, n + 1, at(step.at / 1000)));
}

describe("the script", () => {
  it.each(Array.from({ length: 40 }, (_, n) => n))("is a legal execution (seed %i)", (seed) => {
    const all = events(seed, 0.3, seed % 2 ? "x" : null);
    const end = fold(initial(graph()), all);
    expect(isTerminal(end.status)).toBe(true);
    expect(Object.values(end.nodes).every((node) => isTerminal(node.status))).toBe(true);
    expect(end.nodes.four?.startedAt ?? "z" >= (end.nodes.two?.endedAt ?? "")).toBeTruthy();
    if (end.status === "completed") {
      expect([end.progress, end.error]).toEqual([100, null]);
      expect(end.result).not.toBeNull();
    } else {
      expect(end.error).not.toBeNull();
      expect(Object.values(end.nodes).filter((node) => node.status === "failed")).toHaveLength(1);
    }
  });

  it("is the same for the same seed, and another for another", () => {
    expect(events(3, 0.2)).toEqual(events(3, 0.2));
    expect(events(3, 0.2)).not.toEqual(events(4, 0.2));
  });

  it("fails as often as it shall", () => {
    const status = (rate: number) => (_: unknown, seed: number) =>
      fold(initial(graph()), events(seed, rate)).status;
    const runs = Array.from({ length: 60 });
    expect(runs.map(status(0))).toEqual(runs.map(() => "completed"));
    expect(runs.map(status(1))).toEqual(runs.map(() => "failed"));
    const some = runs.map(status(0.15)).filter((word) => word === "failed").length;
    // of four nodes: 1 − 0.85⁴ = 48 %
    expect(some).toBeGreaterThan(15);
    expect(some).toBeLessThan(45);
  });

  it("waits for sources, logs, and reports progress", () => {
    const all = events(5, 0);
    const when = (nodeId: string, word: string) =>
      all.find((e) => e.type === "nodeStatus" && e.nodeId === nodeId && e.status === word)!.seq;
    expect(when("two", "running")).toBeGreaterThan(when("one", "completed"));
    expect(when("four", "running")).toBeGreaterThan(when("two", "completed"));
    expect(when("four", "running")).toBeGreaterThan(when("three", "completed"));
    expect(all.filter((e) => e.type === "log").length).toBeGreaterThan(4);
    expect(all.flatMap((e) => (e.type === "progress" && !e.nodeId ? e.progress : []))).toEqual([
      25, 50, 75, 100,
    ]);
  });
});

describe("the simulator", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("drives a store from the first event to the last, in realistic time", async () => {
    const simulator = new Simulator({ seed: 2, failureRate: 0 });
    const id = simulator.start({ input: { topic: "tea" } });
    const { store } = simulator.watch(id);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(store.getSnapshot()).toMatchObject({
      phase: "live",
      connection: { state: "connected" },
    });
    expect(store.getSnapshot().state).toMatchObject({ status: "running", input: { topic: "tea" } });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.getSnapshot()).toMatchObject({ phase: "ended", progress: 100 });
    expect(store.getSnapshot().state?.workflowName).toBe(SAMPLE_WORKFLOW.name);
    expect(store.logs.length).toBe(store.getSnapshot().state?.logCount);
    const took = store.duration().ms!;
    expect(took).toBeGreaterThan(4_000);
    expect(took).toBeLessThan(25_000);
    // who comes late sees the same
    const late = simulator.watch(id, { history: true });
    await vi.advanceTimersByTimeAsync(50);
    expect(late.store.getSnapshot().state).toEqual(store.getSnapshot().state);
    const replay = simulator.replay(id);
    await replay.load();
    expect(replay.getSnapshot().state).toEqual(store.getSnapshot().state);
    simulator.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("runs faster, and is cancelled", async () => {
    const simulator = new Simulator({ seed: 2, failureRate: 0, speed: 10 });
    const id = simulator.start();
    const { store } = simulator.watch(id);
    await vi.advanceTimersByTimeAsync(300);
    simulator.cancel(id);
    await vi.advanceTimersByTimeAsync(20);
    const { phase, state } = store.getSnapshot();
    expect([phase, state?.status]).toEqual(["ended", "cancelled"]);
    const words = Object.values(state!.nodes).map((node) => node.status);
    expect(words).toContain("completed");
    expect(words).toContain("cancelled");
    expect(words.every(isTerminal)).toBe(true);
    expect(() => simulator.cancel(id)).toThrow("cancelled");
    expect(() => simulator.start({ executionId: id })).toThrow("exists");
    simulator.close();
  });

  it("is asked like a server", async () => {
    const simulator = new Simulator({ speed: 100, failureRate: 0 });
    const release = simulator.hold();
    const answer = await simulator.execute({ workflowId: "wf_1", input: { n: 1 } });
    expect(answer).toMatchObject({ id: answer.executionId, workflowId: "wf_1", status: "pending" });
    const { store } = simulator.watch(answer.id);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(store.getSnapshot()).toMatchObject({ phase: "ended", state: { input: { n: 1 } } });
    expect(simulator.connection.getSnapshot().state).toBe("connected");
    release();
    simulator.close();
  });

  it("does not know what was not started", async () => {
    const simulator = new Simulator();
    const { store } = simulator.watch("nobody");
    await vi.advanceTimersByTimeAsync(50);
    expect(store.getSnapshot()).toMatchObject({ phase: "error", error: { code: "not_found" } });
    expect(() => simulator.cancel("nobody")).toThrow("no such execution");
    simulator.close();
  });
});
