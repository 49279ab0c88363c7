import type { ExecutionState, Stats } from "@runroom/core";
import { describe, expect, test } from "vitest";
import { durationsOf, percentile } from "../../src/metrics/durations";
import { pointsOf, withSample } from "../../src/metrics/samples";
import { pathsOf, pointAt, roundUp, stretches } from "../../src/metrics/series";

const FRAME = { from: 0, to: 100, most: 10, width: 100, height: 50, gap: 10 };

describe("a line over time", () => {
  test("goes from point to point, with 0 at the lower edge", () => {
    const points = [0, 5, 10].map((value, n) => ({ time: n * 10, value }));
    expect(pathsOf(points, FRAME)).toEqual({
      line: "M0 50L10 25L20 0",
      area: "M0 50L0 50L10 25L20 0L20 50Z",
    });
  });

  test("is broken where nothing is known, and where nobody looked", () => {
    const points = [
      { time: 0, value: 1 },
      { time: 10, value: 2 },
      { time: 20, value: null },
      { time: 30, value: 3 },
      { time: 80, value: 4 },
    ];
    expect(stretches(points, 10).map((each) => each.map(({ value }) => value))).toEqual([
      [1, 2],
      [3],
      [4],
    ]);
    expect(pathsOf(points, FRAME).line).toBe("M0 45L10 40M30 35L31 35M80 30L81 30");
  });

  test("without points is empty", () => expect(pathsOf([], FRAME).line).toBe(""));

  test.each([
    [0, 1],
    [1, 1],
    [1.2, 2],
    [3, 4],
    [7, 8],
    [10, 10],
    [11, 20],
    [4_321, 6_000],
  ])("%d fits under %d", (value, most) => expect(roundUp(value)).toBe(most));

  test("under the pointer is what was read last before it", () => {
    const points = [
      { time: 0, value: 1 },
      { time: 10, value: 2 },
      { time: 20, value: null },
    ];
    expect([0, 4, 15, 21, 90].map((time) => pointAt(points, time, 10)?.value ?? null)).toEqual([
      1,
      1,
      2,
      null,
      null,
    ]);
    expect(pointAt([], 5, 10)).toBeNull();
  });
});

describe("samples", () => {
  const stats = (connections: number): Stats => ({
    connections,
    subscriptions: 0,
    executions: null,
    eventsPerSecond: 0,
    executors: 0,
  });

  test("are as many as are kept, the last ones", () => {
    let samples: ReturnType<typeof withSample> = [];
    for (let time = 0; time < 10; time += 1) {
      samples = withSample(samples, { time, stats: stats(time) }, 4);
    }
    expect(samples.map(({ time }) => time)).toEqual([6, 7, 8, 9]);
  });

  test("a server that did not answer, and what it does not tell, is not 0", () => {
    const samples = [
      { time: 1, stats: stats(3) },
      { time: 2, stats: null },
    ];
    expect(pointsOf(samples, (each) => each.connections).map(({ value }) => value)).toEqual([
      3,
      null,
    ]);
    expect(pointsOf(samples, (each) => each.executions?.failed)[0]!.value).toBeNull();
  });
});

describe("percentiles", () => {
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

  test.each([
    [0.5, 1, 1],
    [0.5, 4, 2],
    [0.9, 9, null],
    [0.9, 10, 9],
    [0.99, 99, null],
    [0.99, 100, 99],
    [0.99, 1_000, 990],
  ])("%d of %d values", (share, count, value) => {
    expect(percentile(numbers(count), share)).toBe(value);
  });

  test("of each kind, of nodes that ran to their end here", () => {
    const at = (ms: number): string => new Date(ms).toISOString();
    const node = (kind: string, from: number | null, to: number | null, status = "completed") => ({
      kind,
      status,
      startedAt: from === null ? null : at(from),
      endedAt: to === null ? null : at(to),
    });
    const states = [
      { nodes: { a: node("tool", 0, 100), b: node("tool", 0, 300), c: node("agent", 0, 5_000) } },
      {
        nodes: {
          a: node("tool", 0, 200),
          b: node("tool", 0, 9, "failed"),
          c: node("tool", 0, null),
        },
      },
      { nodes: { a: node("tool", null, 50), b: node("output", 0, 0) } },
    ] as unknown as ExecutionState[];
    const [trigger, agent, tool, output] = durationsOf(states);
    expect(trigger).toEqual({
      kind: "trigger",
      count: 0,
      p50: null,
      p90: null,
      p99: null,
      max: null,
    });
    expect(agent).toMatchObject({ count: 1, p50: 5_000, max: 5_000 });
    expect(tool).toMatchObject({ count: 3, p50: 200, p90: null, max: 300 });
    expect(output).toMatchObject({ count: 1, p50: 0 });
  });
});
