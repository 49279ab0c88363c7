import { type ConnectionSnapshot, isOnline, type Watchable } from "@runroom/core";
import { useCallback, useSyncExternalStore } from "react";
import { useRunroom } from "./client";

export type ConnectionStatus = "connecting" | "connected" | "disconnected" | "error";

export interface UseConnection {
  connection: ConnectionSnapshot;
  connectionStatus: ConnectionStatus;
  /** Now, without waiting for the next try. */
  reconnect: () => void;
}

/** The connection as it is. Default: the provider's. */
export function useConnection(backendUrl?: string): UseConnection {
  const client: Watchable = useRunroom(backendUrl);
  const source = client.connection;
  const subscribe = useCallback((listener: () => void) => source.subscribe(listener), [source]);
  const getSnapshot = useCallback(() => source.getSnapshot(), [source]);
  const connection = useSyncExternalStore(subscribe, getSnapshot, getSnapshot);
  const reconnect = useCallback(() => source.reconnect(), [source]);
  return { connection, connectionStatus: statusOf(connection), reconnect };
}

/** In four words: coming back is `connecting`; refused, or given up, is `error`. */
function statusOf({ state, error }: ConnectionSnapshot): ConnectionStatus {
  if (isOnline(state)) return "connected";
  if (state === "connecting" || state === "reconnecting") return "connecting";
  return state === "error" || error !== null ? "error" : "disconnected";
}
