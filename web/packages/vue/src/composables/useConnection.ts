import { type ConnectionSnapshot, isOnline, type Watchable } from "@runroom/core";
import { type ComputedRef, computed, onScopeDispose, type ShallowRef, shallowRef } from "vue";
import { useRunroom } from "../client";

export interface UseConnection {
  /** All that is known: the next try's time, the round trip, the error. */
  connection: Readonly<ShallowRef<ConnectionSnapshot>>;
  isConnected: ComputedRef<boolean>;
  isReconnecting: ComputedRef<boolean>;
  /** Now, without waiting for the next try; also after the last. */
  reconnect: () => void;
}

/** A connection as it is, for as long as the caller's scope lives. Default: the app's. */
export function useConnection(
  source: Watchable["connection"] = useRunroom().connection,
): UseConnection {
  const connection = shallowRef(source.getSnapshot());
  onScopeDispose(
    source.subscribe(() => {
      connection.value = source.getSnapshot();
    }),
  );
  return {
    connection,
    isConnected: computed(() => isOnline(connection.value.state)),
    isReconnecting: computed(() => connection.value.state === "reconnecting"),
    reconnect: () => source.reconnect(),
  };
}
