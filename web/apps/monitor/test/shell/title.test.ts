import { expect, test } from "vitest";
import { iconOf, titleOf } from "../../src/shell/title";

test("a tab's title says how it stands", () => {
  expect(titleOf({ name: "Executions" })).toBe("Executions · Runroom");
  expect(titleOf({ name: "Digest", status: "running", progress: 43 })).toBe(
    "▶ 43 % Digest · Runroom",
  );
  expect(titleOf({ name: "Digest", status: "failed", progress: 43 })).toBe("✗ Digest · Runroom");
});

test("its icon has the status's colour", () => {
  expect(iconOf(null)).toBe("/favicon.svg");
  expect(decodeURIComponent(iconOf("failed"))).toContain("#ef4444");
  expect(iconOf("failed")).not.toBe(iconOf("completed"));
});
