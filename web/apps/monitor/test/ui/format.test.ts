import { describe, expect, test } from "vitest";
import { formatAgo, formatBytes, formatDuration, plural } from "../../src/ui/format";

describe("formatDuration", () => {
  test.each([
    [0, "0 ms"],
    [-5, "0 ms"],
    [999, "999 ms"],
    [1_000, "1.0 s"],
    [9_949, "9.9 s"],
    [9_950, "10 s"],
    [59_900, "59 s"],
    [60_000, "1 m 00 s"],
    [184_000, "3 m 04 s"],
    [3_600_000, "1 h 00 m"],
    [90_000_000, "1 d 1 h"],
  ])("%d ms is %s", (ms, text) => expect(formatDuration(ms)).toBe(text));

  test("one that ticks shows whole seconds", () => {
    expect(formatDuration(640, true)).toBe("0 s");
    expect(formatDuration(4_999, true)).toBe("4 s");
    expect(formatDuration(64_999, true)).toBe("1 m 04 s");
  });
});

test("formatAgo goes from now to a date", () => {
  const now = Date.parse("2026-06-15T12:00:00Z");
  expect(formatAgo(now + 500, now)).toBe("now");
  expect(formatAgo(now - 12_000, now)).toBe("12 s ago");
  expect(formatAgo(now - 3 * 60_000, now)).toBe("3 min ago");
  expect(formatAgo(now - 5 * 3_600_000, now)).toBe("5 h ago");
  expect(formatAgo(now - 40 * 86_400_000, now)).toBe("6 May");
  expect(formatAgo(Date.parse("2025-03-14T12:00:00Z"), now)).toBe("14 Mar 2025");
});

test("sizes and counts", () => {
  expect([12, 65_536, 2_400_000].map(formatBytes)).toEqual(["12 B", "64.0 KiB", "2.3 MiB"]);
  expect(plural(1, "line")).toBe("1 line");
  expect(plural(12_345, "line")).toBe("12,345 lines");
});
