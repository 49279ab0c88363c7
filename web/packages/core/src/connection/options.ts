import type { ErrorInfo } from "../contract/errors";
import type { ConnectionState } from "./states";
import type { TokenSource, Tokens } from "./token";

export interface ConnectionOptions {
  /** Default: `VITE_WS_URL`, `VITE_BACKEND_URL`, `http://localhost:3001`. */
  url: string;
  namespace: string;
  token: TokenSource | Tokens;
  transports: string[];
  /** Tries after a loss before it gives up. */
  attempts: number;
  /** Before the first of them, ms; doubled for each further one … */
  delay: number;
  /** … up to this. */
  delayMax: number;
  connectTimeout: number;
  /** How long an acknowledgement may take. */
  requestTimeout: number;
  /** Between two measurements of the round trip, ms; 0: none. */
  pingInterval: number;
  /** So long before a token ends, a fresh one is sent, ms. */
  refreshBefore: number;
  /** Emits that are kept while offline; further ones are refused. */
  queueLimit: number;
}

export const CONNECTION_DEFAULTS: Omit<ConnectionOptions, "url" | "token"> = {
  namespace: "/executions",
  transports: ["websocket", "polling"],
  attempts: Number.POSITIVE_INFINITY,
  delay: 1_000,
  delayMax: 5_000,
  connectTimeout: 20_000,
  requestTimeout: 20_000,
  pingInterval: 10_000,
  refreshBefore: 30_000,
  queueLimit: 100,
};

export interface ConnectionSnapshot {
  readonly state: ConnectionState;
  /** Epoch ms, as all times here. */
  readonly since: number;
  /** When it was lost that stood; null while it stands, and before it stood. */
  readonly lostAt: number | null;
  /** The number of the try that is next or under way; 0: the connection was not lost. */
  readonly attempt: number;
  readonly retryAt: number | null;
  /** Why it was lost, refused or given up. */
  readonly error: ErrorInfo | null;
  /** To the second; `Connection.lastEventAt` is exact. */
  readonly lastEventAt: number | null;
  readonly roundTrip: number | null;
  /** The server's clock minus ours, ms. */
  readonly clockOffset: number;
  readonly transport: string | null;
  /** Emits that wait for the connection. */
  readonly queued: number;
}

/** A connection before its first try. */
export function disconnected(): ConnectionSnapshot {
  return {
    state: "disconnected",
    since: Date.now(),
    lostAt: null,
    attempt: 0,
    retryAt: null,
    error: null,
    lastEventAt: null,
    roundTrip: null,
    clockOffset: 0,
    transport: null,
    queued: 0,
  };
}

/** One that always stands: where there is no server to lose. */
export const CONNECTED: ConnectionSnapshot = { ...disconnected(), state: "connected" };
