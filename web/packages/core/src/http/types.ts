import type {
  ExecuteRequest,
  ExecutionState,
  ExecutionStatus,
  GraphEdge,
  GraphNode,
} from "../contract/contract.gen";

/** An execution in a list: a snapshot without its values and its graph. */
export type ExecutionItem = Omit<ExecutionState, "input" | "result" | "nodes" | "graph">;

export interface ExecutionQuery {
  status?: ExecutionStatus;
  workflowId?: string;
  /** 1 … 1,000; 50 if left out. */
  limit?: number;
  cursor?: string;
}

/** The answer to execute, cancel and retry. */
export interface Accepted {
  /** The same as `executionId`. */
  id: string;
  executionId: string;
  workflowId: string;
  status: ExecutionStatus;
  retryOf?: string;
}

export interface ExecuteOptions extends ExecuteRequest {
  workflowId: string;
  /** The same key again gives the same execution, not another one. */
  idempotencyKey?: string;
}

export interface StoredWorkflow {
  id: string;
  name: string;
  description: string | null;
  nodes: GraphNode[];
  edges: GraphEdge[];
  owner: string;
  createdAt: string;
  updatedAt: string;
}

export interface Stats {
  connections: number;
  subscriptions: number;
  /** Null for a token that does not see them all. */
  executions: Partial<Record<ExecutionStatus, number>> | null;
  eventsPerSecond: number;
  executors: number;
}

export interface UiConfig {
  refreshInterval: number;
  animationEnabled: boolean;
  colorTheme: "dynamic" | "static";
}
