import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Event, fold, initial, type ReadHistory, Replay, Scheduler } from "../../src";
import { at, log, node, numbered, progress, record, SUCCESS, status } from "../support/events";

/** Pages of the server: log lines left out, `size` events each. */
function pages(events: Event[], nodes = ["a", "b"], size = 3): ReadHistory {
  return vi.fn(async (after: number) => ({
    execution: record(nodes),
    events: events.filter(({ seq, type }) => seq > after && type !== "log").slice(0, size),
    head: events.length,
  }));
}

const made = (read: ReadHistory) => new Replay(read, new Scheduler());

/** 40 nodes one after the other, with log lines between. */
function long(): { ids: string[]; events: Event[] } {
  const ids = Array.from({ length: 40 }, (_, n) => `n${n}`);
  const payloads: object[] = [status("running")];
  for (const id of ids) {
    payloads.push(node(id, "running"), log(`in ${id}`));
    for (let n = 0; n < 60; n += 1) payloads.push(progress(0, { nodeId: id, nodeProgress: n }));
    payloads.push(log(`out ${id}`), node(id, "completed", { output: id }));
  }
  payloads.push(log("the end"), status("failed"));
  return { ids, events: numbered(payloads) };
}

describe("seeking", () => {
  it("gives the fold of every prefix, log lines and all", async () => {
    const replay = made(pages(SUCCESS));
    expect(replay.getSnapshot()).toMatchObject({ state: null, last: 0 });
    await replay.load();
    expect(replay.getSnapshot()).toMatchObject({ seq: 13, last: 13, loading: false, error: null });
    const start = initial(record());
    for (const seq of [13, 0, 7, 3, 12, 1, 2, 11, 6, 5, 4, 8, 9, 10]) {
      replay.seek(seq);
      expect(replay.getSnapshot()).toMatchObject({ seq });
      expect(replay.getSnapshot().state).toEqual(fold(start, SUCCESS.slice(0, seq)));
    }
    replay.seek(99);
    expect(replay.getSnapshot().seq).toBe(13);
    replay.seek(-1);
    expect(replay.getSnapshot()).toMatchObject({ seq: 0, state: start });
  });

  it("is right between checkpoints too, in any order", async () => {
    const { ids, events } = long();
    const replay = made(pages(events, ids, 700));
    await replay.load();
    const start = initial(record(ids));
    for (let step = 0; step < 60; step += 1) {
      const seq = (step * 7_919) % (events.length + 1);
      replay.seek(seq);
      expect(replay.getSnapshot().state).toEqual(fold(start, events.slice(0, seq)));
    }
  });

  it("finds the event of a time, and the time of an event", async () => {
    const replay = made(pages(SUCCESS));
    await replay.load();
    expect(replay.getSnapshot()).toMatchObject({
      startedAt: Date.parse(at(1)),
      endedAt: Date.parse(at(13)),
    });
    replay.seekTime(Date.parse(at(6.5)));
    expect(replay.getSnapshot()).toMatchObject({ seq: 6, time: Date.parse(at(6.5)) });
    replay.seekTime(0);
    expect(replay.getSnapshot().seq).toBe(1);
    replay.seek(8);
    expect(replay.getSnapshot().time).toBe(Date.parse(at(8)));
  });

  it("names the nodes that are other than before", async () => {
    const replay = made(pages(SUCCESS));
    await replay.load();
    replay.seek(4);
    replay.seek(5);
    expect([...replay.getSnapshot().dirtyNodes]).toEqual([]);
    replay.seek(7);
    expect([...replay.getSnapshot().dirtyNodes]).toEqual(["b"]);
  });
});

describe("loading", () => {
  it("reads on where it was, and stays at the end if it stood there", async () => {
    const events = SUCCESS.slice(0, 6);
    const replay = made(async (after) => pages(events)(after));
    await replay.load();
    expect(replay.getSnapshot()).toMatchObject({ seq: 6, last: 6 });
    events.push(...SUCCESS.slice(6, 9));
    await replay.load();
    expect(replay.getSnapshot()).toMatchObject({ seq: 9, last: 9 });
    replay.seek(2);
    events.push(...SUCCESS.slice(9));
    await replay.load();
    expect(replay.getSnapshot()).toMatchObject({ seq: 2, last: 13 });
    replay.seek(13);
    expect(replay.getSnapshot().state).toEqual(fold(initial(record()), SUCCESS));
    expect(replay.timeline.of("b")).toHaveLength(2);
  });

  it("says what went wrong, and can be asked again", async () => {
    const read = vi.fn(pages(SUCCESS)).mockRejectedValueOnce(new Error("no answer"));
    const replay = made(read);
    await replay.load();
    expect(replay.getSnapshot().error).toEqual({ code: "invalid", message: "no answer" });
    await Promise.all([replay.load(), replay.load()]);
    expect(replay.getSnapshot()).toMatchObject({ error: null, last: 13 });
  });

  it("says so if the log does not fold", async () => {
    const broken = numbered([status("running"), node("a", "completed")]);
    const replay = made(pages(broken));
    await replay.load();
    expect(replay.getSnapshot()).toMatchObject({ loading: false, error: { code: "invalid" } });
  });
});

describe("playing", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each([1, 4, 16])("takes the time it took, divided by %i", async (speed) => {
    const replay = made(pages(SUCCESS));
    await replay.load();
    replay.play(speed);
    expect(replay.getSnapshot()).toMatchObject({ playing: true, speed });
    vi.advanceTimersByTime(6_000 / speed);
    expect(replay.getSnapshot().seq).toBeGreaterThanOrEqual(6);
    expect(replay.getSnapshot().seq).toBeLessThanOrEqual(8);
    vi.advanceTimersByTime(6_000 / speed + 50);
    expect(replay.getSnapshot()).toMatchObject({ playing: false, seq: 13 });
  });

  it("pauses, goes on from there, and never faster or slower than it may", async () => {
    const replay = made(pages(SUCCESS));
    await replay.load();
    replay.seek(1);
    replay.play(100);
    expect(replay.getSnapshot().speed).toBe(16);
    replay.setSpeed(0);
    expect(replay.getSnapshot().speed).toBe(1);
    vi.advanceTimersByTime(3_000);
    replay.pause();
    const { seq } = replay.getSnapshot();
    vi.advanceTimersByTime(60_000);
    expect(replay.getSnapshot()).toMatchObject({ seq, playing: false });
    replay.play();
    vi.advanceTimersByTime(2_000);
    expect(replay.getSnapshot().seq).toBeGreaterThan(seq);
    replay.close();
    const { seq: last } = replay.getSnapshot();
    vi.advanceTimersByTime(60_000);
    expect(replay.getSnapshot().seq).toBe(last);
  });
});
