import { describe, expect, test } from "vitest";
import { Heights, Layout, Names } from "../../src/logs/layout";
import { linesOf, upTo } from "../support/lines";

const ROW = 20;

function layout(indexes: readonly number[], extras: Record<number, number> = {}): Layout {
  const heights = new Heights();
  for (const [index, extra] of Object.entries(extras)) heights.set(Number(index), extra);
  return new Layout(linesOf(indexes), indexes.length, ROW, heights);
}

describe("rows of one height", () => {
  const rows = layout(upTo(1_000));

  test("the whole is as high as its rows", () => expect(rows.total).toBe(20_000));

  test.each([
    [0, 100, 0, { first: 0, end: 6, top: 0 }],
    [50, 100, 0, { first: 2, end: 8, top: 40 }],
    [50, 100, 3, { first: 0, end: 11, top: 0 }],
    [19_900, 100, 3, { first: 992, end: 1_000, top: 19_840 }],
    [99_999, 100, 0, { first: 999, end: 1_000, top: 19_980 }],
    [-50, 100, 0, { first: 0, end: 3, top: 0 }],
  ])("from %d px on, %d px high, %d rows beyond", (scrollTop, viewport, beyond, span) => {
    expect(rows.span(scrollTop, viewport, beyond)).toEqual(span);
  });

  test("without rows there is nothing", () => {
    const none = layout([]);
    expect(none.total).toBe(0);
    expect(none.span(0, 100, 6)).toEqual({ first: 0, end: 0, top: 0 });
    expect(none.anchorAt(0)).toBeNull();
  });

  test("a replay shows fewer than there are", () => {
    const rows = new Layout(linesOf(upTo(100)), 40, ROW, new Heights());
    expect(rows.total).toBe(800);
    expect(rows.span(780, 100).end).toBe(40);
  });
});

describe("rows that were measured", () => {
  // 0 … 99, the fourth is three lines high, the sixth two
  const rows = layout(upTo(100), { 3: 40, 5: 20 });

  test("push down what follows", () => {
    expect([3, 4, 5, 6, 100].map((position) => rows.offset(position))).toEqual([
      60, 120, 140, 180, 2_060,
    ]);
    expect(rows.total).toBe(2_060);
  });

  test("are found by the place they cover", () => {
    const places = [0, 59, 60, 119, 120, 139, 140, 179, 180, 2_059, 9_999];
    expect(places.map((y) => rows.positionAt(y))).toEqual([0, 2, 3, 3, 4, 4, 5, 5, 6, 99, 99]);
  });

  test("every place is covered by the row that is found there", () => {
    for (let y = 0; y < rows.total; y += 7) {
      const position = rows.positionAt(y);
      expect(rows.offset(position)).toBeLessThanOrEqual(y);
      expect(rows.offset(position + 1)).toBeGreaterThan(y);
    }
  });

  test("count in a filtered log too", () => {
    const filtered = layout([2, 3, 500, 90_000], { 3: 40, 90000: 100 });
    expect([0, 1, 2, 3, 4].map((position) => filtered.offset(position))).toEqual([
      0, 20, 80, 100, 220,
    ]);
  });
});

describe("heights", () => {
  test("say what is news, and keep sums", () => {
    const heights = new Heights();
    expect(heights.set(300, 40)).toBe(true);
    expect(heights.set(300, 40)).toBe(false);
    expect(heights.set(301, 0)).toBe(false);
    expect(heights.set(1_000, 20)).toBe(true);
    expect([300, 301, 1_000, 1_001].map((index) => heights.before(index))).toEqual([0, 40, 40, 60]);
    expect(heights.set(300, 0)).toBe(true);
    expect(heights.before(2_000)).toBe(20);
  });

  test("forget rows that were dropped, and nothing else", () => {
    const heights = new Heights();
    for (const index of [10, 254, 255, 256, 700]) heights.set(index, 1);
    heights.dropBefore(255);
    expect(heights.before(1_000)).toBe(3);
    expect(heights.of(254)).toBe(0);
    heights.dropBefore(10_000);
    expect(heights.empty).toBe(true);
  });
});

describe("an anchor", () => {
  test("is where it was after rows were dropped before it", () => {
    const before = layout(upTo(1_000));
    const anchor = before.anchorAt(4_007)!;
    expect(anchor).toEqual({ index: 200, delta: 7 });
    const after = layout(upTo(1_100, 150));
    expect(after.scrollTopOf(anchor)).toBe(1_007);
  });

  test("is where it was after a row above was measured", () => {
    const anchor = layout(upTo(100)).anchorAt(210)!;
    expect(layout(upTo(100), { 4: 60 }).scrollTopOf(anchor)).toBe(270);
  });

  test("that a filter hides gives way to the next row that is there", () => {
    const anchor = layout(upTo(100)).anchorAt(210)!;
    expect(layout([1, 5, 30, 40]).scrollTopOf(anchor)).toBe(40);
    expect(layout([1, 5]).scrollTopOf(anchor)).toBe(40);
  });
});

test("scrolling to a row: to the middle, or as little as needed", () => {
  const rows = layout(upTo(1_000));
  expect(rows.scrollTopFor(500, 0, 100, "center")).toBe(9_960);
  expect(rows.scrollTopFor(0, 300, 100, "center")).toBe(0);
  expect(rows.scrollTopFor(10, 150, 100, "nearest")).toBeNull();
  expect(rows.scrollTopFor(5, 150, 100, "nearest")).toBe(100);
  expect(rows.scrollTopFor(12, 100, 100, "nearest")).toBe(160);
});

describe("names of rows", () => {
  test("stay with a row as long as rows overlap", () => {
    const names = new Names();
    names.shift(0, 40);
    const name = names.of(30);
    names.shift(25, 65);
    expect(names.of(30)).toBe(name);
    names.shift(0, 40);
    expect(names.of(30)).toBe(name);
  });

  test("are used again when no row stays", () => {
    const names = new Names();
    names.shift(0, 40);
    const before = upTo(40).map((index) => names.of(index));
    names.shift(5_000, 5_040);
    expect(upTo(5_040, 5_000).map((index) => names.of(index))).toEqual(before);
    names.shift(100, 140);
    expect(upTo(140, 100).map((index) => names.of(index))).toEqual(before);
  });
});
