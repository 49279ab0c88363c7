import type { ExecutionState, ExecutionStore, NodeState } from "@runroom/core";
import type { View } from "./observed";

/** What happened last; `nodeId` is null for the execution's own status. */
export interface ExecutionMessage {
  executionId: string;
  workflowId: string;
  nodeId: string | null;
  status: string;
  timestamp: string;
  message: string | null;
  data: unknown;
}

/** The last message of a store, found by comparing what was shown with what is. */
export class LastMessage implements View<ExecutionMessage | null> {
  readonly empty = null;
  #before: ExecutionState | null = null;
  #last: ExecutionMessage | null = null;

  take(store: ExecutionStore): ExecutionMessage | null {
    const { state } = store.getSnapshot();
    if (state !== null && state !== this.#before) {
      this.#last = latestOf(this.#before, state) ?? this.#last;
    }
    this.#before = state;
    return this.#last;
  }
}

function latestOf(before: ExecutionState | null, after: ExecutionState): ExecutionMessage | null {
  const changed = Object.values(after.nodes).filter((node) => {
    const old = before?.nodes[node.nodeId];
    return node !== old && (node.status !== (old?.status ?? "pending") || said(node, old));
  });
  const found = changed.map((node) => ofNode(after, node));
  if (after.status !== (before?.status ?? "pending")) found.push(ofExecution(after));
  // the later one of two that are equally old: the execution ends after its nodes
  return found.reduce<ExecutionMessage | null>(
    (last, each) => (last === null || each.timestamp >= last.timestamp ? each : last),
    null,
  );
}

function said(node: NodeState, old: NodeState | undefined): boolean {
  return node.message !== null && node.message !== old?.message;
}

function ofNode({ executionId, workflowId }: ExecutionState, node: NodeState): ExecutionMessage {
  return {
    executionId,
    workflowId,
    nodeId: node.nodeId,
    status: node.status,
    timestamp: node.endedAt ?? node.startedAt ?? "",
    message: node.error ?? node.message,
    data: node.output,
  };
}

function ofExecution(state: ExecutionState): ExecutionMessage {
  const { executionId, workflowId, status, endedAt, startedAt, createdAt, error } = state;
  return {
    executionId,
    workflowId,
    nodeId: null,
    status,
    timestamp: endedAt ?? startedAt ?? createdAt,
    message: error,
    data: state.result,
  };
}
