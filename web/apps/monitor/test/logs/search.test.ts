import { expect, test } from "vitest";
import { positionOfSeq } from "../../src/logs/lines";
import { nextHit, ordinalOf } from "../../src/logs/search";
import { linesOf, upTo } from "../support/lines";

const hits = linesOf([5, 20, 21, 90]);

test("the next hit, and the one before, round the end", () => {
  expect([null, 0, 5, 6, 20, 89, 90, 200].map((from) => nextHit(hits, 4, from, 1))).toEqual([
    0, 0, 1, 1, 2, 3, 0, 0,
  ]);
  expect([null, 0, 5, 6, 20, 90, 200].map((from) => nextHit(hits, 4, from, -1))).toEqual([
    3, 3, 3, 0, 0, 2, 3,
  ]);
  expect(nextHit(linesOf([]), 0, 3, 1)).toBeNull();
});

test("in a replay only hits up to its moment count", () => {
  expect(nextHit(hits, 2, 20, 1)).toBe(0);
  expect(nextHit(hits, 2, 90, -1)).toBe(1);
});

test("which hit a row is", () => {
  expect([null, 5, 6, 90].map((index) => ordinalOf(hits, 4, index))).toEqual([null, 1, null, 4]);
});

test("a line is found by its seq, and only that line", () => {
  const lines = linesOf(upTo(100));
  expect(positionOfSeq(lines, 100, 420)).toBe(42);
  expect(positionOfSeq(lines, 100, 425)).toBeNull();
  expect(positionOfSeq(lines, 40, 420)).toBeNull();
  expect(positionOfSeq(linesOf([]), 0, 420)).toBeNull();
});
