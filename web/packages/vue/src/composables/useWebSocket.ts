import { Connection, type ConnectionOptions, Runroom } from "@runroom/core";
import { onScopeDispose } from "vue";
import { RECONNECTION, useRunroom } from "../client";
import { type UseConnection, useConnection } from "./useConnection";

// biome-ignore lint/suspicious/noExplicitAny: of a namespace that nobody has described
export type AnyEvents = Record<string, (...args: any[]) => void>;

export type WebSocketOptions = Partial<Omit<ConnectionOptions, "url" | "token" | "namespace">>;

export interface UseWebSocket<In extends object, Out extends object> extends UseConnection {
  connect: () => void;
  /** For good, until `connect()`. */
  disconnect: () => void;
  /** Sent, or kept until there is a connection. @returns false if too many wait already. */
  emit: Connection<In, Out>["emit"];
  /** @returns the undo. */
  on: Connection<In, Out>["on"];
  /** Without a handler: all of this event that were added with `on`. */
  off: Connection<In, Out>["off"];
}

/**
 * A connection to a namespace, with the app's address and token; ended with the caller's scope.
 * Comes back by itself: 5 tries, 1 s to 5 s apart.
 */
export function useWebSocket<In extends object = AnyEvents, Out extends object = AnyEvents>(
  namespace: string,
  options: WebSocketOptions = {},
): UseWebSocket<In, Out> {
  const client = useRunroom();
  // what the namespace answers to a ping is not known
  const all = { ...RECONNECTION, pingInterval: 0, ...options, namespace };
  const socket =
    client instanceof Runroom ? client.socket<In, Out>(all) : new Connection<In, Out>(all);
  report(socket as unknown as Connection, namespace);
  onScopeDispose(() => socket.disconnect());
  return {
    ...useConnection(socket),
    connect: () => socket.connect(),
    disconnect: () => socket.disconnect(),
    emit: socket.emit.bind(socket) as typeof socket.emit,
    on: socket.on.bind(socket) as typeof socket.on,
    off: socket.off.bind(socket),
  };
}

/** A line for each failed try, and one when there will be none. */
function report(socket: Connection, namespace: string): void {
  socket.on("connect_error", (error) => console.warn(`${namespace}: ${error.message}`));
  let before = socket.getSnapshot().state;
  socket.subscribe(() => {
    const { state, error } = socket.getSnapshot();
    if (state !== before && (state === "disconnected" || state === "error") && error !== null) {
      console.error(`${namespace}: ${error.message}`);
    }
    before = state;
  });
}
