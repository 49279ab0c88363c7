import { expect, test } from "vitest";
import { arranged, MOST_TILES, readTiles, writeTiles } from "../../src/monitoring/tiles";

const NONE = new Set<string>();

test("the tiles survive the address", () => {
  const tiles = { ids: ["ex_1", "ex_2"], running: false };
  expect(readTiles(writeTiles(tiles) as Record<string, string>)).toEqual(tiles);
  expect(writeTiles({ ids: [], running: true })).toEqual({});
  expect(readTiles({ ids: "a,,b,a" })).toEqual({ ids: ["a", "b"], running: true });
});

test("what is new comes first, and nothing else moves", () => {
  const tiles = { ids: ["a"], running: true };
  const first = arranged([], tiles, ["r1"], NONE);
  expect(first).toEqual(["r1", "a"]);
  const second = arranged(first, tiles, ["r2", "r1"], NONE);
  expect(second).toEqual(["r2", "r1", "a"]);
  expect(arranged(second, tiles, [], NONE), "what has ended stays").toEqual(second);
});

test("what was put away does not come back", () => {
  const tiles = { ids: [], running: true };
  expect(arranged(["r1", "r2"], tiles, ["r1", "r2"], new Set(["r1"]))).toEqual(["r2"]);
});

test("what runs is left out where nobody asked for it", () => {
  expect(arranged([], { ids: ["a"], running: false }, ["r1"], NONE)).toEqual(["a"]);
});

test("there are never too many", () => {
  const many = Array.from({ length: 100 }, (_, each) => `r${each}`);
  expect(arranged([], { ids: [], running: true }, many, NONE)).toHaveLength(MOST_TILES);
});
