import { expect, test } from "vitest";
import { readFilter, writeFilter } from "../../src/executions/filter";
import { parseInput } from "../../src/executions/start";

test("a filter survives the address", () => {
  const filter = { status: "failed", workflowId: "wf_1", text: "disk full" } as const;
  expect(readFilter(writeFilter(filter) as Record<string, string>)).toEqual(filter);
  expect(writeFilter({ status: null, workflowId: null, text: "" })).toEqual({});
});

test("nonsense in the address is no filter", () => {
  const none = { status: null, workflowId: null, text: "" };
  expect(readFilter({ status: "exploded", workflow: "", q: null })).toEqual(none);
  expect(readFilter({ status: ["failed", "running"], q: ["a", "b"] })).toEqual(none);
});

test("an input is JSON, or nothing", () => {
  expect(parseInput("  ")).toEqual({ ok: true, value: undefined });
  expect(parseInput('{"seed": 10}')).toEqual({ ok: true, value: { seed: 10 } });
  expect(parseInput("null")).toEqual({ ok: true, value: null });
  expect(parseInput('{"seed": 10')).toMatchObject({ ok: false, error: /^Not JSON: / });
});
