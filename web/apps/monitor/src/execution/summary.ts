import type { ExecutionState, NodeState, NodeStatus } from "@runroom/core";

/** What there is to say at the end. */
export interface Summary {
  /** How many nodes ended how; only those that are more than none, in a fixed order. */
  readonly counts: readonly { readonly status: NodeStatus; readonly count: number }[];
  readonly nodes: number;
  /** The nodes that took longest, longest first; only if there is a choice. */
  readonly slowest: readonly NodeState[];
  /** The node that made it fail. */
  readonly culprit: NodeState | null;
  readonly error: string | null;
  /** Tries beyond the first, of all nodes. */
  readonly retries: number;
}

const ORDER: readonly NodeStatus[] = [
  "failed",
  "completed",
  "skipped",
  "cancelled",
  "running",
  "pending",
];
const SLOWEST = 3;
/** What takes less is not worth pointing at, ms. */
const NOTICEABLE_MS = 100;

export function summarize(state: ExecutionState): Summary {
  const nodes = Object.values(state.nodes);
  const counts = ORDER.map((status) => ({
    status,
    count: nodes.filter((node) => node.status === status).length,
  })).filter(({ count }) => count > 0);
  const slowest = nodes
    .filter((node) => (node.durationMs ?? 0) >= NOTICEABLE_MS)
    .sort((a, b) => (b.durationMs ?? 0) - (a.durationMs ?? 0))
    .slice(0, SLOWEST);
  return {
    counts,
    nodes: nodes.length,
    slowest: nodes.length > SLOWEST ? slowest : [],
    culprit: nodes.find((node) => node.status === "failed") ?? null,
    error: state.error,
    retries: nodes.reduce((sum, node) => sum + Math.max(0, node.tries - 1), 0),
  };
}
