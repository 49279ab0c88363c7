import { isOnline, type NodeState } from "@runroom/core";
import { useEffect } from "react";
import { useRunroom } from "./client";
import { type ExecutionMessage, LastMessage } from "./messages";
import { useObserved } from "./observed";
import { useExecution } from "./useExecution";

/** A node of the caller's, as React Flow has it. */
export interface NodeLike {
  id: string;
  data: object;
}

/** What the hook writes into a node's `data`. */
export interface NodeExecution {
  status: NodeState["status"];
  message: string | null;
  progress: number;
  error: string | null;
  output: unknown;
  durationMs: number | null;
}

export interface UseWorkflowExecution {
  isConnected: boolean;
  /** What happened last, of what a frame changed. */
  lastMessage: ExecutionMessage | null;
  /** Why there is no execution to see, or no connection. */
  error: string | null;
}

export type SetNodes<N> = (update: (nodes: N[]) => N[]) => void;

/** Writes each node's status, message, progress, error and output into `data` as they come. */
export function useWorkflowExecution<N extends NodeLike>(
  executionId: string | null | undefined,
  nodes: readonly N[],
  setNodes: SetNodes<N>,
  { backendUrl }: { backendUrl?: string } = {},
): UseWorkflowExecution {
  const snapshot = useExecution(executionId, { history: false, backendUrl });
  const client = useRunroom(backendUrl);
  const options = { history: false };
  const lastMessage = useObserved(client, executionId, () => new LastMessage(), options);
  const states = snapshot?.state?.nodes;

  useEffect(() => {
    if (states === undefined || nodes.every((node) => updated(node, states) === node)) return;
    setNodes((current) => current.map((node) => updated(node, states)));
  }, [states, nodes, setNodes]);

  const connection = snapshot?.connection;
  return {
    isConnected: connection !== undefined && isOnline(connection.state),
    lastMessage,
    error: snapshot?.error?.message ?? connection?.error?.message ?? null,
  };
}

/** The node with its execution's state; the same object if that is in it already. */
function updated<N extends NodeLike>(node: N, states: Record<string, NodeState>): N {
  const state = Object.hasOwn(states, node.id) ? states[node.id] : undefined;
  if (state === undefined) return node;
  const { status, message, progress, error, output, durationMs } = state;
  const shown: NodeExecution = { status, message, progress, error, output, durationMs };
  const data = node.data as Partial<NodeExecution>;
  const same = (Object.keys(shown) as (keyof NodeExecution)[]).every(
    (key) => data[key] === shown[key],
  );
  return same ? node : { ...node, data: { ...node.data, ...shown } };
}
