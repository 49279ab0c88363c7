import { describe, expect, test } from "vitest";
import { rowsOf, spanOf } from "../../src/timeline/rows";
import { ticksOf } from "../../src/timeline/ticks";
import { nodeOf, recordOf, run, START, type Step } from "../support/executions";

const RECORD = recordOf(["late", "flaky", "never"].map((id) => nodeOf(id)));
const STEPS: readonly Step[] = [
  { status: "running" },
  { at: 100, node: "flaky", status: "running", try: 1 },
  { at: 600, node: "flaky", status: "running", try: 2, message: "503, trying again" },
  { at: 900, node: "late", status: "running" },
  { at: 1_500, node: "flaky", status: "completed", try: 2, output: 1 },
];

function rows(steps: readonly Step[]) {
  const { state, timeline } = run(RECORD, steps);
  return { rows: rowsOf(state, timeline), state };
}

describe("rows", () => {
  test("by their start, each try a segment, the rest behind them", () => {
    const found = rows(STEPS).rows;
    expect(found.map(({ nodeId }) => nodeId)).toEqual(["flaky", "late", "never"]);
    expect(found[0]!.segments).toEqual([
      expect.objectContaining({ try: 1, start: START + 100, end: START + 600, status: "failed" }),
      expect.objectContaining({
        try: 2,
        start: START + 600,
        end: START + 1_500,
        status: "completed",
      }),
    ]);
    expect(found[0]!.segments[1]!.message).toContain("503");
    expect(found[1]!.segments[0]).toMatchObject({ end: null, status: "running" });
    expect(found[2]!.segments).toEqual([]);
  });

  test("another attempt is another segment, and an error stays with its try", () => {
    const found = rows([
      ...STEPS.slice(0, 2),
      { at: 2_000, attempt: 2, status: "running" },
      { at: 2_100, attempt: 2, node: "flaky", status: "running", try: 2 },
      { at: 2_400, attempt: 2, node: "flaky", status: "failed", try: 2, error: "no" },
    ]).rows;
    expect(found[0]!.segments.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(found[0]!.segments[1]).toMatchObject({ status: "failed", error: "no" });
  });

  test("a clock that goes back gives no bar that does", () => {
    const [row] = rows([...STEPS.slice(0, 2), { at: 50, node: "flaky", status: "completed" }]).rows;
    expect(row!.segments[0]).toMatchObject({ start: START + 100, end: START + 100 });
  });
});

describe("span", () => {
  test("grows with what runs, and ends with the execution", () => {
    const going = rows(STEPS);
    expect(spanOf(going.rows, going.state, START + 5_000)).toEqual([START, START + 5_000]);
    const over = rows([
      ...STEPS,
      { at: 2_000, node: "late", status: "completed" },
      { at: 2_500, status: "completed" },
    ]);
    expect(spanOf(over.rows, over.state, START + 9_000)).toEqual([START, START + 2_500]);
  });

  test("is at least a second, also before anything has run", () => {
    const { state, rows: none } = rows([]);
    expect(spanOf(none, state, START)).toEqual([START, START + 1_000]);
    const begun = rows(STEPS.slice(0, 2));
    expect(spanOf(begun.rows, begun.state, START + 120)).toEqual([START, START + 1_000]);
  });
});

describe("ticks", () => {
  test.each([
    [900, 6, ["0", "200 ms", "400 ms", "600 ms", "800 ms"]],
    [4_000, 6, ["0", "1 s", "2 s", "3 s", "4 s"]],
    [2_400, 6, ["0", "500 ms", "1.0 s", "1.5 s", "2.0 s"]],
    [150_000, 6, ["0", "30 s", "1:00", "1:30", "2:00", "2:30"]],
    [3 * 3_600_000, 4, ["0", "1:00 h", "2:00 h", "3:00 h"]],
    [4 * 86_400_000, 5, ["0", "1 d", "2 d", "3 d", "4 d"]],
  ])("%d ms in %d marks", (length, most, labels) => {
    expect(ticksOf(length, most).map(({ label }) => label)).toEqual(labels);
  });

  test("never more than asked for, however long", () => {
    for (let length = 1; length < 1e12; length *= 3.7) {
      expect(ticksOf(length, 8).length).toBeLessThanOrEqual(9);
    }
  });
});
