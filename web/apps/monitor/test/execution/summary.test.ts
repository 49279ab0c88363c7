import { type ExecutionState, fold, initial, type NodeState } from "@runroom/core";
import { expect, test } from "vitest";
import { summarize } from "../../src/execution/summary";

const EMPTY: ExecutionState = fold(
  initial({
    executionId: "ex_1",
    workflowId: "wf_1",
    workflowName: "Digest",
    graph: { nodes: [], edges: [] },
    input: null,
    owner: "dev",
    priority: 0,
    retryOf: null,
    createdAt: "2026-01-31T12:00:00.000Z",
  }),
  [],
);

function node(nodeId: string, more: Partial<NodeState>): NodeState {
  return {
    nodeId,
    name: nodeId,
    kind: "tool",
    status: "completed",
    progress: 100,
    message: null,
    startedAt: null,
    endedAt: null,
    durationMs: null,
    tries: 1,
    output: null,
    error: null,
    ...more,
  };
}

function state(nodes: NodeState[], more: Partial<ExecutionState> = {}): ExecutionState {
  return { ...EMPTY, ...more, nodes: Object.fromEntries(nodes.map((each) => [each.nodeId, each])) };
}

test("it counts, names the culprit, and says what took longest", () => {
  const summary = summarize(
    state(
      [
        node("a", { durationMs: 5 }),
        node("b", { durationMs: 900, tries: 3 }),
        node("c", { durationMs: 4_000, status: "failed", error: "no answer", tries: 2 }),
        node("d", { durationMs: 1_500 }),
        node("e", { durationMs: 100 }),
        node("f", { status: "skipped", tries: 0 }),
      ],
      { status: "failed", error: "no answer" },
    ),
  );
  expect(summary.counts).toEqual([
    { status: "failed", count: 1 },
    { status: "completed", count: 4 },
    { status: "skipped", count: 1 },
  ]);
  expect(summary.culprit?.nodeId).toBe("c");
  expect(summary.error).toBe("no answer");
  expect(summary.slowest.map((each) => each.nodeId)).toEqual(["c", "d", "b"]);
  expect(summary.retries).toBe(3);
});

test("of few or quick nodes none is the slowest", () => {
  expect(summarize(state([node("a", { durationMs: 9_000 })])).slowest).toEqual([]);
  const quick = ["a", "b", "c", "d", "e"].map((id) => node(id, { durationMs: 3 }));
  expect(summarize(state(quick)).slowest).toEqual([]);
});
