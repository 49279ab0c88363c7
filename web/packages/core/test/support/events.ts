import { type Event, type ExecutionRecord, type ExecutionState, initial } from "../../src";

export const ID = "ex-1";
const START = Date.parse("2026-01-31T12:00:00.000Z");

/** A time so many seconds after noon. */
export const at = (seconds: number): string => new Date(START + seconds * 1000).toISOString();

export function record(nodeIds: readonly string[] = ["a", "b"]): ExecutionRecord {
  const rest = { config: null, position: null, retry: null, timeoutMs: null, pool: null };
  return {
    executionId: ID,
    workflowId: "wf-1",
    workflowName: "Test",
    graph: {
      nodes: nodeIds.map((id) => ({ id, kind: "tool", name: null, ...rest, requires: [] })),
      edges: [],
    },
    input: null,
    owner: "ada",
    priority: 0,
    retryOf: null,
    createdAt: at(0),
  };
}

export const start = (nodeIds?: readonly string[]): ExecutionState => initial(record(nodeIds));

/** Events as they would be logged, one second apart, from `after + 1` on. */
export function numbered(payloads: readonly object[], after = 0, attempt = 1): Event[] {
  return payloads.map((payload, index) => {
    const seq = after + index + 1;
    return { executionId: ID, seq, attempt, timestamp: at(seq), ...payload } as Event;
  });
}

export const status = (word: string) => ({ type: "status", status: word });
export const node = (nodeId: string, word: string, more: object = {}) => ({
  type: "nodeStatus",
  nodeId,
  status: word,
  ...more,
});
export const log = (message: string, more: object = {}) => ({
  type: "log",
  log: { id: `line-${message}`, level: "info", message, createdAt: at(0), ...more },
});
export const progress = (percent: number, more: object = {}) => ({
  type: "progress",
  progress: percent,
  ...more,
});

/** A short execution that succeeds; the node `b` takes two tries. */
export const SUCCESS: Event[] = numbered([
  status("running"),
  node("a", "running"),
  log("hello", { nodeId: "a" }),
  node("a", "completed", { output: { n: 1 } }),
  progress(50),
  node("b", "running", { try: 1 }),
  log("careful", { nodeId: "b", level: "warning" }),
  node("b", "running", { try: 2, message: "again" }),
  log("almost", { nodeId: "b" }),
  node("b", "completed", { output: null, try: 2 }),
  progress(100),
  { type: "result", result: { n: 1 } },
  status("completed"),
]);

/** The payload as the socket brings it. */
export function payload({ type: _, ...rest }: Event): object {
  return { ...rest };
}
