import { describe, expect, test } from "vitest";
import { FOLLOWING, type Follow, follow, newLines } from "../../src/logs/follow";
import { linesOf, upTo } from "../support/lines";

const up = (seen: number) => ({ type: "scrolled", up: true, atEnd: false, seen }) as const;
const down = (seen: number, atEnd = false) =>
  ({ type: "scrolled", up: false, atEnd, seen }) as const;

describe("the end stays in sight", () => {
  test("until somebody scrolls up", () => {
    expect(follow(FOLLOWING, down(100))).toBe(FOLLOWING);
    expect(follow(FOLLOWING, up(90))).toEqual({ following: false, unseen: 90 });
  });

  test("until something else holds the eye", () => {
    expect(follow(FOLLOWING, { type: "paused", seen: 100 })).toEqual({
      following: false,
      unseen: 100,
    });
  });

  test("again when somebody scrolls down to it, or asks for it", () => {
    const away = follow(FOLLOWING, up(90));
    expect(follow(away, down(100, true))).toBe(FOLLOWING);
    expect(follow(away, { type: "followed" })).toBe(FOLLOWING);
  });

  test("not when the end comes to who scrolls up", () => {
    const away: Follow = { following: false, unseen: 90 };
    expect(follow(away, { type: "scrolled", up: true, atEnd: true, seen: 90 }).following).toBe(
      false,
    );
  });
});

describe("new lines", () => {
  const away: Follow = { following: false, unseen: 100 };

  test("are those after what was seen", () => {
    expect(newLines(away, linesOf(upTo(100)), 100)).toBe(0);
    expect(newLines(away, linesOf(upTo(130)), 130)).toBe(30);
  });

  test("become fewer as they are read, and not more by going back", () => {
    const read = follow(away, down(120));
    expect(newLines(read, linesOf(upTo(130)), 130)).toBe(10);
    expect(follow(read, up(50))).toBe(read);
  });

  test("are those that the filter lets pass, also when earlier ones were dropped", () => {
    expect(newLines(away, linesOf([3, 99, 104, 110]), 4)).toBe(2);
    expect(newLines(away, linesOf(upTo(300, 250)), 50)).toBe(50);
  });

  test("are none while the end is in sight, or while a replay stands before them", () => {
    expect(newLines(FOLLOWING, linesOf(upTo(300)), 300)).toBe(0);
    expect(newLines(away, linesOf(upTo(300)), 80)).toBe(0);
  });
});
