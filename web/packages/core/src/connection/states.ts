/** The words that a page shows as `data-state`. */
export type ConnectionState =
  | "disconnected"
  | "connecting"
  | "connected"
  | "catching-up"
  | "reconnecting"
  | "error";

/** What can happen to a connection. */
export type ConnectionInput =
  /** Somebody wants it. */
  | "open"
  /** The server has let us in. */
  | "opened"
  /** Events are on their way that happened before now. */
  | "behind"
  | "caught-up"
  /** Trouble on the way: there will be another try. */
  | "lost"
  /** There was trouble so often that there will be none. */
  | "gave-up"
  /** The server will not have us. */
  | "refused"
  /** Nobody wants it any more. */
  | "close";

/** Every legal move. An input that a state does not list changes nothing. */
export const CONNECTION_MOVES: Record<
  ConnectionState,
  Partial<Record<ConnectionInput, ConnectionState>>
> = {
  disconnected: { open: "connecting" },
  connecting: {
    opened: "connected",
    lost: "reconnecting",
    "gave-up": "disconnected",
    refused: "error",
    close: "disconnected",
  },
  connected: {
    behind: "catching-up",
    lost: "reconnecting",
    "gave-up": "disconnected",
    refused: "error",
    close: "disconnected",
  },
  "catching-up": {
    "caught-up": "connected",
    lost: "reconnecting",
    "gave-up": "disconnected",
    refused: "error",
    close: "disconnected",
  },
  reconnecting: {
    opened: "connected",
    lost: "reconnecting",
    "gave-up": "disconnected",
    refused: "error",
    close: "disconnected",
  },
  error: { open: "connecting", close: "disconnected" },
};

export function moveConnection(state: ConnectionState, input: ConnectionInput): ConnectionState {
  return CONNECTION_MOVES[state][input] ?? state;
}

/** What is shown is what the server has just said, or is about to be. */
export function isOnline(state: ConnectionState): boolean {
  return state === "connected" || state === "catching-up";
}
