import {
  EXECUTION_MOVES,
  type ExecutionStatus,
  LOOKS,
  NODE_MOVES,
  type NodeStatus,
} from "./contract.gen";
import { RunroomError } from "./errors";

/** How a status is shown: a colour, an icon's name and a CSS animation or null. */
export interface Look {
  readonly color: string;
  readonly icon: string;
  readonly animation: string | null;
}

/** Nothing follows this status. */
export function isTerminal(status: ExecutionStatus | NodeStatus): boolean {
  return NODE_MOVES[status].length === 0;
}

export function lookOf(status: ExecutionStatus | NodeStatus): Look {
  return LOOKS[status];
}

/**
 * The execution's next status.
 * @throws RunroomError `invalid`: the table does not have the move.
 */
export function moveExecution(
  current: ExecutionStatus,
  to: ExecutionStatus,
  newAttempt: boolean,
): ExecutionStatus {
  const legal: readonly string[] = EXECUTION_MOVES[current];
  if (!legal.includes(to)) throw illegal("execution", current, to);
  if (current === "running" && to === "running" && !newAttempt) {
    throw illegal("execution", current, "running without a new attempt");
  }
  return to;
}

/**
 * The node's next status.
 * @throws RunroomError `invalid`: the table does not have the move.
 */
export function moveNode(
  nodeId: string,
  current: NodeStatus,
  to: NodeStatus,
  reused: boolean,
): NodeStatus {
  const legal: readonly string[] = NODE_MOVES[current];
  if (!legal.includes(to)) throw illegal(`node "${nodeId}"`, current, to);
  if (current === "pending" && to === "completed" && !reused) {
    throw illegal(`node "${nodeId}"`, current, "completed without reused");
  }
  return to;
}

function illegal(what: string, current: string, to: string): RunroomError {
  return new RunroomError("invalid", `${what}: ${current} → ${to} is not a legal move`);
}
