import { type Event, Timeline } from "@runroom/core";
import { expect, test } from "vitest";
import { marksOf, nextMark, placed } from "../../src/replay/marks";

function timeline(...said: [number, string, string][]): Timeline {
  const made = new Timeline();
  said.forEach(([second, nodeId, status], n) => {
    const timestamp = new Date(second * 1_000).toISOString();
    const base = { executionId: "ex-1", seq: n + 1, attempt: 1, timestamp };
    made.apply({ type: "nodeStatus", nodeId, status, ...base } as Event);
  });
  return made;
}

const made = timeline(
  [0, "a", "running"],
  [4, "a", "completed"],
  [4, "b", "running"],
  [7, "b", "running"],
  [10, "b", "failed"],
);

test("a mark for each change; a try that was followed by another one failed", () => {
  expect(marksOf(made).map(({ time, kind, nodeId }) => [time, kind, nodeId])).toEqual([
    [0, "start", "a"],
    [4_000, "end", "a"],
    [4_000, "start", "b"],
    [7_000, "failed", "b"],
    [7_000, "start", "b"],
    [10_000, "failed", "b"],
  ]);
});

test("at one place the one that weighs most", () => {
  expect(placed(marksOf(made), 0, 10_000, 10)).toEqual([
    { at: 0, kind: "start" },
    { at: 0.4, kind: "end" },
    { at: 0.7, kind: "failed" },
    { at: 1, kind: "failed" },
  ]);
  expect(placed(marksOf(made), 0, 10_000, 1)).toEqual([
    { at: 0, kind: "end" },
    { at: 1, kind: "failed" },
  ]);
  // no time has passed
  expect(placed(marksOf(made), 5_000, 5_000, 10).map(({ at }) => at)).toEqual([0]);
});

test("from change to change", () => {
  const marks = marksOf(made);
  expect([0, 4_000, 9_999, 10_000].map((at) => nextMark(marks, at, 1)?.time ?? null)).toEqual([
    4_000,
    7_000,
    10_000,
    null,
  ]);
  expect([0, 4_000, 9_999].map((at) => nextMark(marks, at, -1)?.time ?? null)).toEqual([
    null,
    0,
    7_000,
  ]);
});
