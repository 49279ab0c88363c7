import { expect, it } from "vitest";
import { fold, isTerminal, Timeline } from "../../src";
import { at, node, numbered, SUCCESS, start, status } from "../support/events";

function timelineOf(events = SUCCESS): Timeline {
  const timeline = new Timeline();
  for (const event of events) timeline.apply(event);
  return timeline;
}

it("has a bar for each try", () => {
  const timeline = timelineOf();
  expect(timeline.nodeIds).toEqual(["a", "b"]);
  expect(timeline.of("a")).toEqual([
    {
      try: 1,
      attempt: 1,
      startedAt: at(2),
      endedAt: at(4),
      status: "completed",
      message: null,
      error: null,
    },
  ]);
  expect(timeline.of("b")).toMatchObject([
    { try: 1, startedAt: at(6), endedAt: at(8), status: "failed", message: null },
    { try: 2, startedAt: at(8), endedAt: at(10), status: "completed", message: "again" },
  ]);
  expect(timeline.of("nobody")).toEqual([]);
});

it("changes only what has changed", () => {
  const timeline = timelineOf(SUCCESS.slice(0, 4));
  const [a, ids, version] = [timeline.of("a"), timeline.nodeIds, timeline.version];
  timeline.apply(SUCCESS[4]!);
  expect([timeline.nodeIds, timeline.version]).toEqual([ids, version]);
  timeline.apply(SUCCESS[5]!);
  expect(timeline.of("a")).toBe(a);
  expect(timeline.nodeIds).not.toBe(ids);
  expect(timeline.version).not.toBe(version);
});

it("has no bars for nodes that did not run, and ends those of a lost executor", () => {
  const timeline = timelineOf([
    ...numbered([status("running"), node("a", "running"), node("b", "skipped")]),
    ...numbered(
      [status("running"), node("a", "running", { try: 1 }), node("a", "cancelled")],
      3,
      2,
    ),
  ]);
  expect(timeline.nodeIds).toEqual(["a"]);
  expect(timeline.of("a")).toMatchObject([
    { try: 1, attempt: 1, endedAt: at(5), status: "failed" },
    { try: 1, attempt: 2, endedAt: at(6), status: "cancelled" },
  ]);
});

it("makes do with a snapshot", () => {
  const timeline = new Timeline();
  timeline.restore(fold(start(["x", "b", "a"]), SUCCESS.slice(0, 8)));
  expect(timeline.nodeIds).toEqual(["a", "b"]);
  expect(timeline.of("b")).toMatchObject([{ try: 2, startedAt: at(6), endedAt: null }]);
  timeline.apply(SUCCESS[9]!);
  expect(timeline.of("b")).toMatchObject([{ try: 2, endedAt: at(10), status: "completed" }]);
});

it("knows which event ended each node", () => {
  const timeline = timelineOf();
  const ends = SUCCESS.flatMap((event) =>
    event.type === "nodeStatus" && isTerminal(event.status) ? [[event.nodeId, event.seq]] : [],
  );
  expect(ends.length).toBeGreaterThan(1);
  expect([...timeline.ends]).toEqual(ends);
  timeline.clear();
  expect(timeline.ends.size).toBe(0);
});
