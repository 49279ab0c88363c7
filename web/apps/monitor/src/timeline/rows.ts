import type { ExecutionState, Kind, NodeStatus, Timeline, Try } from "@runroom/core";

/** One node's row. */
export interface Row {
  readonly nodeId: string;
  readonly name: string;
  readonly kind: Kind | null;
  readonly status: NodeStatus;
  readonly segments: readonly Segment[];
}

/** One try; times in epoch ms. */
export interface Segment {
  readonly try: number;
  readonly attempt: number;
  readonly start: number;
  /** Null while it runs. */
  readonly end: number | null;
  readonly status: NodeStatus;
  readonly error: string | null;
  readonly message: string | null;
}

/** By start; then those that have not started, in the graph's order. */
export function rowsOf(state: ExecutionState, timeline: Timeline): Row[] {
  const started = timeline.nodeIds
    .map((nodeId) => rowOf(state, nodeId, timeline.of(nodeId).map(segmentOf)))
    .sort((a, b) => a.segments[0]!.start - b.segments[0]!.start);
  const seen = new Set(timeline.nodeIds);
  const others = Object.keys(state.nodes).filter((nodeId) => !seen.has(nodeId));
  return [...started, ...others.map((nodeId) => rowOf(state, nodeId, []))];
}

/** From the first start on, at least a second; `now` is where a running try has come to. */
export function spanOf(rows: readonly Row[], state: ExecutionState, now: number): [number, number] {
  let from = state.startedAt === null ? Number.POSITIVE_INFINITY : Date.parse(state.startedAt);
  let to = state.endedAt === null ? now : Date.parse(state.endedAt);
  for (const { segments } of rows) {
    for (const { start, end } of segments) {
      from = Math.min(from, start);
      to = Math.max(to, end ?? Math.max(now, start));
    }
  }
  if (!Number.isFinite(from)) from = Math.min(to, Date.parse(state.createdAt));
  return [from, Math.max(to, from + 1_000)];
}

function rowOf(state: ExecutionState, nodeId: string, segments: readonly Segment[]): Row {
  const node = Object.hasOwn(state.nodes, nodeId) ? state.nodes[nodeId] : undefined;
  const { name = nodeId, kind = null, status = "pending" } = node ?? {};
  return { nodeId, name, kind, status, segments };
}

function segmentOf(each: Try): Segment {
  const { startedAt, endedAt, status, error, message, attempt } = each;
  const start = Date.parse(startedAt);
  // another executor's clock may be behind
  const end = endedAt === null ? null : Math.max(start, Date.parse(endedAt));
  return { try: each.try, attempt, start, end, status, error, message };
}
