import { useRunroom } from "./client";
import { Entries, type ExecutionLog } from "./entries";
import { useObserved } from "./observed";
import { type ConnectionStatus, useConnection } from "./useConnection";

export interface UseWebSocketLogs {
  /** In order, each once: lines and the ends of nodes, at most the newest 10,000. */
  logs: readonly ExecutionLog[];
  connectionStatus: ConnectionStatus;
  /** Now, without waiting for the next try. */
  reconnect: () => void;
}

/** An execution's log from its beginning on, live. */
export function useWebSocketLogs(
  executionId: string | null | undefined,
  { backendUrl }: { backendUrl?: string } = {},
): UseWebSocketLogs {
  const logs = useObserved(useRunroom(backendUrl), executionId, () => new Entries());
  const { connectionStatus, reconnect } = useConnection(backendUrl);
  return { logs, connectionStatus, reconnect };
}
