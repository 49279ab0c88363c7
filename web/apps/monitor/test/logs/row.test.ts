import { expect, test } from "vitest";
import { clockOf, lineOf, sinceOf, wordsOf } from "../../src/logs/row";
import { rowOf } from "../support/lines";

test("times of day have milliseconds, in the reader's time zone", () => {
  expect(clockOf(new Date(2026, 0, 31, 9, 5, 3, 7).getTime())).toBe("09:05:03.007");
});

test.each([
  [0, "+0.000"],
  [2_034, "+2.034"],
  [62_034, "+1:02.034"],
  [3_662_034, "+1:01:02.034"],
  [-15, "−0.015"],
])("%d ms after the start is %s", (ms, text) => expect(sinceOf(5_000 + ms, 5_000)).toBe(text));

test("a copied line is whole and safe to paste", () => {
  const node = { id: "web", kind: "tool", name: "Search\u202e the web" } as const;
  const rest = { config: null, position: null, retry: null, timeoutMs: null, pool: null };
  const words = wordsOf([{ ...node, ...rest, requires: [] }]);
  const row = rowOf(1, "\u001b[31mfailed\u001b[0m\u0007", { level: "error", nodeId: "web" });
  expect(lineOf(row, words)).toBe(
    "2026-01-31T12:00:01.000Z ERROR   [SearchU+202E the web] failedU+0007",
  );
});
