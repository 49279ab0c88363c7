import { type ConnectionStatus, useConnection } from "../useConnection";

const WORDS: Record<ConnectionStatus, string> = {
  connected: "Connected",
  connecting: "Connecting",
  disconnected: "Disconnected",
  error: "Error",
};

export interface ConnectionIndicatorProps {
  backendUrl?: string | undefined;
  /** The button that connects now, while there is no connection. Default: true. */
  reconnectable?: boolean;
}

/** 🟢 connected, 🟡 connecting, 🔴 error, ⚫ disconnected: a dot and a word. */
export function ConnectionIndicator({
  backendUrl,
  reconnectable = true,
}: ConnectionIndicatorProps) {
  const { connection, connectionStatus, reconnect } = useConnection(backendUrl);
  return (
    <span className="rr-connection" data-testid="connection" data-state={connection.state}>
      <span className={`rr-dot rr-dot-${connectionStatus}`} aria-hidden="true" />
      <span role="status" title={connection.error?.message}>
        {WORDS[connectionStatus]}
      </span>
      {reconnectable && connectionStatus !== "connected" ? (
        <button type="button" className="rr-button" onClick={reconnect}>
          Reconnect
        </button>
      ) : null}
    </span>
  );
}
