import { onScopeDispose } from "vue";
import { useRunroom } from "../client";
import { useExecutionStore } from "../stores/execution";
import { type UseConnection, useConnection } from "./useConnection";

export interface UseExecutionWebSocket extends UseConnection {
  /** Connect to `/executions`. */
  initialize: () => void;
  /** Keep the execution store up to date with this execution, and make it the current one. */
  subscribeToExecution: (executionId: string) => void;
  unsubscribeFromExecution: (executionId: string) => void;
  /** Unsubscribe from all and let the connection go; also done when the caller's scope ends. */
  cleanup: () => void;
}

/** Executions in the execution store, live: every event once, in order, also after a loss. */
export function useExecutionWebSocket(): UseExecutionWebSocket {
  const client = useRunroom();
  const store = useExecutionStore();
  const followed = new Map<string, () => void>();
  let letGo: (() => void) | undefined;

  function initialize(): void {
    letGo ??= client.hold();
  }

  function subscribeToExecution(executionId: string): void {
    initialize();
    if (!followed.has(executionId)) followed.set(executionId, store.follow(client, executionId));
  }

  function unsubscribeFromExecution(executionId: string): void {
    followed.get(executionId)?.();
    followed.delete(executionId);
  }

  function cleanup(): void {
    for (const executionId of [...followed.keys()]) unsubscribeFromExecution(executionId);
    letGo?.();
    letGo = undefined;
  }

  onScopeDispose(cleanup);
  return {
    ...useConnection(client.connection),
    initialize,
    subscribeToExecution,
    unsubscribeFromExecution,
    cleanup,
  };
}
