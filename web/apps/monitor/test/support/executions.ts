import {
  type Event,
  type ExecutionRecord,
  type ExecutionState,
  fold,
  type GraphEdge,
  type GraphNode,
  initial,
  Timeline,
} from "@runroom/core";

export const START = Date.parse("2026-03-14T09:00:00.000Z");

export function nodeOf(id: string, more: Partial<GraphNode> = {}): GraphNode {
  return {
    id,
    kind: "tool",
    name: null,
    config: null,
    position: null,
    retry: null,
    timeoutMs: null,
    pool: null,
    requires: [],
    ...more,
  };
}

export function edgeOf(source: string, target: string, when: string | null = null): GraphEdge {
  return { source, target, when };
}

export function recordOf(nodes: GraphNode[], edges: GraphEdge[] = []): ExecutionRecord {
  return {
    executionId: "e1",
    workflowId: "w1",
    workflowName: "Test",
    graph: { nodes, edges },
    input: { topic: "ships" },
    owner: "ada",
    priority: 0,
    retryOf: null,
    createdAt: new Date(START).toISOString(),
  };
}

/** An event without what numbering adds, `at` ms after the start. */
export type Step = { at?: number; attempt?: number } & (
  | ({
      node: string;
      status: "running" | "completed" | "failed" | "skipped" | "cancelled";
    } & Record<string, unknown>)
  | { status: "running" | "completed" | "failed" | "cancelled"; node?: undefined }
  | { node: string; progress: number; status?: undefined }
);

/** The state and the timeline after these steps. */
export function run(
  record: ExecutionRecord,
  steps: readonly Step[],
): { state: ExecutionState; timeline: Timeline; events: Event[] } {
  const timeline = new Timeline();
  const events = steps.map(({ at = 0, attempt = 1, ...step }, index): Event => {
    const base = {
      executionId: record.executionId,
      seq: index + 1,
      attempt,
      timestamp: new Date(START + at).toISOString(),
    };
    if (step.status === undefined) {
      return {
        ...base,
        type: "progress",
        progress: 0,
        nodeId: step.node,
        nodeProgress: step.progress,
      };
    }
    if (step.node === undefined) return { ...base, type: "status", status: step.status };
    const { node, ...rest } = step;
    return { ...base, type: "nodeStatus", nodeId: node, ...rest } as Event;
  });
  for (const event of events) timeline.apply(event);
  return { state: fold(initial(record), events), timeline, events };
}
