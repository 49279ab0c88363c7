// Made from the server's contract by `python -m scripts.contract_schema` and `npm run generate`.
// Do not edit.

export type ExecutionStatus = "pending" | "running" | "completed" | "failed" | "cancelled";
export type NodeStatus = "pending" | "running" | "completed" | "failed" | "cancelled" | "skipped";

/**
 * Why the execution failed; logged once, before `status: failed`.
 */
export interface ErrorEvent {
  executionId: string;
  seq: number;
  attempt: number;
  timestamp: string;
  type: "error";
  error: string;
  nodeId?: string;
}
/**
 * `POST /api/workflows/{id}/execute`.
 */
export interface ExecuteRequest {
  input?: unknown;
  priority?: number;
}
/**
 * What was fixed when the execution was made; the fold's start.
 */
export interface ExecutionRecord {
  executionId: string;
  workflowId: string;
  workflowName: string;
  graph: Graph;
  input: unknown;
  owner: string;
  priority: number;
  retryOf: string | null;
  createdAt: string;
}
/**
 * The nodes and edges that an execution was made with.
 */
export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
}
/**
 * One step. The kind tells a reader what it is; `config` tells what it does.
 */
export interface GraphNode {
  id: string;
  kind: "trigger" | "agent" | "tool" | "output";
  name: string | null;
  config: {
    [k: string]: unknown;
  } | null;
  position: Position | null;
  retry: GraphRetry | null;
  timeoutMs: number | null;
  pool: ("async" | "thread" | "process" | "dask") | null;
  requires: string[];
}
/**
 * Where a front end draws the node.
 */
export interface Position {
  x: number;
  y: number;
}
/**
 * How often a node is tried in all, and the first wait between tries.
 */
export interface GraphRetry {
  attempts: number;
  backoffMs: number;
}
/**
 * `target` waits for `source`; with `when`, only if the JMESPath holds.
 */
export interface GraphEdge {
  source: string;
  target: string;
  when: string | null;
}
/**
 * The snapshot: everything a viewer needs to show an execution at `seq`.
 */
export interface ExecutionState {
  executionId: string;
  workflowId: string;
  workflowName: string;
  status: ExecutionStatus;
  attempt: number;
  seq: number;
  priority: number;
  progress: number;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  owner: string;
  input: unknown;
  result: unknown;
  error: string | null;
  logCount: number;
  retryOf: string | null;
  nodes: {
    [k: string]: NodeState;
  };
  graph: Graph;
  executor: ExecutorState | null;
}
/**
 * One node as the events so far have left it.
 */
export interface NodeState {
  nodeId: string;
  name: string;
  kind: ("trigger" | "agent" | "tool" | "output") | null;
  status: NodeStatus;
  progress: number;
  message: string | null;
  startedAt: string | null;
  endedAt: string | null;
  durationMs: number | null;
  tries: number;
  output: unknown;
  error: string | null;
}
/**
 * Who holds the execution; from the lease, not from the log.
 */
export interface ExecutorState {
  executorId: string;
  state: "alive" | "lost";
  lastSeenAt: string | null;
}
/**
 * `executor` (not logged): the holder's lease is alive or lost.
 */
export interface ExecutorPresence {
  executionId: string;
  executorId: string;
  state: "alive" | "lost";
}
/**
 * A line that a node, or the execution itself, printed or logged.
 */
export interface LogEvent {
  executionId: string;
  seq: number;
  attempt: number;
  timestamp: string;
  type: "log";
  log: LogLine;
}
/**
 * One line of an execution's log; `id` is stable, so that clients can tell repeats.
 */
export interface LogLine {
  id: string;
  nodeId?: string;
  level: "info" | "warning" | "error";
  message: string;
  metadata?: unknown;
  createdAt: string;
}
/**
 * A node moves to `status`; `try_` counts from 1 within the node.
 */
export interface NodeStatusEvent {
  executionId: string;
  seq: number;
  attempt: number;
  timestamp: string;
  type: "nodeStatus";
  nodeId: string;
  status: NodeStatus;
  output?: unknown;
  error?: string;
  message?: string;
  durationMs?: number;
  try?: number;
  reused?: boolean;
}
/**
 * `presence` (not logged): who watches an execution.
 */
export interface Presence {
  executionId: string;
  count: number;
  viewers: PresentViewer[];
}
/**
 * One person with `count` open connections to the execution.
 */
export interface PresentViewer {
  id: string;
  name: string;
  count: number;
}
/**
 * How much of the execution is done and, where given, of one node.
 */
export interface ProgressEvent {
  executionId: string;
  seq: number;
  attempt: number;
  timestamp: string;
  type: "progress";
  progress: number;
  nodeId?: string;
  nodeProgress?: number;
  message?: string;
}
/**
 * A new token for a connection whose old one is about to end.
 */
export interface RefreshRequest {
  token: string;
}
/**
 * `reset` (not logged): forget what you have; `ahead` replays from 1, `deleted` ends.
 */
export interface Reset {
  executionId: string;
  reason: "ahead" | "deleted";
  head: number | null;
}
/**
 * What the execution as a whole produced; comes before `status: completed`.
 */
export interface ResultEvent {
  executionId: string;
  seq: number;
  attempt: number;
  timestamp: string;
  type: "result";
  result: unknown;
}
/**
 * How often a node is tried in all, and the first wait between tries.
 */
export interface RetryPolicy {
  attempts?: number;
  backoffMs?: number;
}
/**
 * `POST /api/executions/{id}/retry`.
 */
export interface RetryRequest {
  fromNode?: string;
}
/**
 * The execution moves to `status`; the terminal one seals the log and has `log_count`.
 */
export interface StatusEvent {
  executionId: string;
  seq: number;
  attempt: number;
  timestamp: string;
  type: "status";
  status: ExecutionStatus;
  logCount?: number;
}
/**
 * `subscribe`: every event with seq > after, from the store and then live; in batches,
 * and these in MessagePack, if asked for.
 */
export interface SubscribeRequest {
  executionId: string;
  after?: number;
  batch?: boolean;
  binary?: boolean;
}
export interface UnsubscribeRequest {
  executionId: string;
}
/**
 * A directed acyclic graph of nodes and edges.
 */
export interface Workflow {
  name: string;
  description?: string;
  nodes: WorkflowNode[];
  edges?: WorkflowEdge[];
}
/**
 * One step. The kind tells a reader what it is; `config` tells what it does.
 */
export interface WorkflowNode {
  id: string;
  kind: "trigger" | "agent" | "tool" | "output";
  name?: string;
  config?: {
    [k: string]: unknown;
  };
  position?: Position;
  retry?: RetryPolicy;
  timeoutMs?: number;
  pool?: "async" | "thread" | "process" | "dask";
  requires?: string[];
}
/**
 * `target` waits for `source`; with `when`, only if the JMESPath holds.
 */
export interface WorkflowEdge {
  source: string;
  target: string;
  when?: string;
}

export const EVENT_TYPES = [
  "status",
  "nodeStatus",
  "log",
  "progress",
  "result",
  "error"
] as const;

export const LEVELS = [
  "info",
  "warning",
  "error"
] as const;

export const ERROR_CODES = [
  "invalid_request",
  "invalid",
  "not_found",
  "too_many_subscriptions",
  "rate_limited",
  "unauthorized",
  "token_missing",
  "token_invalid",
  "token_expired",
  "forbidden",
  "websocket_required",
  "unavailable",
  "fenced",
  "conflict",
  "sealed",
  "gap",
  "too_large"
] as const;

export const EXECUTION_MOVES = {
  "pending": [
    "running",
    "cancelled"
  ],
  "running": [
    "running",
    "completed",
    "failed",
    "cancelled"
  ],
  "completed": [],
  "failed": [],
  "cancelled": []
} as const;

export const NODE_MOVES = {
  "pending": [
    "running",
    "completed",
    "cancelled",
    "skipped"
  ],
  "running": [
    "running",
    "completed",
    "failed",
    "cancelled"
  ],
  "completed": [],
  "failed": [],
  "cancelled": [],
  "skipped": []
} as const;

export const LOOKS = {
  "pending": {
    "color": "#9ca3af",
    "icon": "clock",
    "animation": null
  },
  "running": {
    "color": "#3b82f6",
    "icon": "loader",
    "animation": "pulse-running"
  },
  "completed": {
    "color": "#10b981",
    "icon": "check",
    "animation": null
  },
  "failed": {
    "color": "#ef4444",
    "icon": "x",
    "animation": "pulse-error"
  },
  "cancelled": {
    "color": "#9ca3af",
    "icon": "ban",
    "animation": null
  },
  "skipped": {
    "color": "#f59e0b",
    "icon": "skip-forward",
    "animation": null
  }
} as const;

export const LIMITS = {
  "page": 1000,
  "subscriptions": 256,
  "nodes": 2000,
  "previewAbove": 65536
} as const;
