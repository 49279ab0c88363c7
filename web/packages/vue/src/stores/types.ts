import type { ExecutionState, ExecutionStatus, Level } from "@runroom/core";

/** What the store keeps of an execution; only the id is known from the beginning. */
export interface Execution {
  id: string;
  workflowId?: string;
  workflowName?: string;
  status: ExecutionStatus;
  progress?: number;
  input?: unknown;
  result?: unknown;
  error?: string | null;
  createdAt?: string | null;
  startedAt?: string | null;
  endedAt?: string | null;
}

export interface ExecutionLog {
  id: string;
  nodeId?: string;
  level: Level;
  message: string;
  metadata?: unknown;
  createdAt: Date | string;
}

/** The part of a snapshot that the store shows. */
export function executionOf(state: ExecutionState): Execution {
  return {
    id: state.executionId,
    workflowId: state.workflowId,
    workflowName: state.workflowName,
    status: state.status,
    progress: state.progress,
    input: state.input,
    result: state.result,
    error: state.error,
    createdAt: state.createdAt,
    startedAt: state.startedAt,
    endedAt: state.endedAt,
  };
}
