import type { ConnectionSnapshot } from "../connection/options";
import { isOnline } from "../connection/states";
import type { ExecutionState, ExecutorState, Presence } from "../contract/contract.gen";
import type { ErrorInfo } from "../contract/errors";

/**
 * `loading`: nothing is known yet. `catching-up`: `state` is true, and the events up to it are
 * still coming. `live`: every event is shown as it happens. `ended`: the last one has come.
 * `deleted`, `error`: nothing more comes.
 */
export type Phase = "loading" | "catching-up" | "live" | "ended" | "deleted" | "error";

/** All there is to show of an execution; another object after each flush, and only then. */
export interface ExecutionSnapshot {
  readonly executionId: string;
  /** One more at each flush. */
  readonly version: number;
  readonly phase: Phase;
  /** What did not change is the same object as before, node by node. */
  readonly state: ExecutionState | null;
  /** The last event that was folded. */
  readonly seq: number;
  /** The highest seq that is known of. */
  readonly head: number;
  readonly progress: number;
  readonly presence: Presence | null;
  readonly executor: ExecutorState | null;
  readonly connection: ConnectionSnapshot;
  readonly error: ErrorInfo | null;
  /** Ids of the nodes that the last flush changed. */
  readonly dirtyNodes: ReadonlySet<string>;
  readonly logs: { readonly first: number; readonly end: number; readonly dropped: number };
}

/** What a flush changed. */
export interface Change {
  readonly nodes: ReadonlySet<string>;
  readonly state: boolean;
  readonly logs: boolean;
  readonly connection: boolean;
}

export interface Duration {
  /** Null before the start. */
  readonly ms: number | null;
  /** It goes on: the execution runs, and the connection stands to tell of its end. */
  readonly ticking: boolean;
}

/** How long the execution has taken until `now`; without a connection, until that was lost. */
export function durationOf(
  state: ExecutionState | null,
  connection: ConnectionSnapshot,
  now: number,
): Duration {
  if (state === null || state.startedAt === null) return { ms: null, ticking: false };
  const start = Date.parse(state.startedAt);
  if (state.endedAt !== null) {
    return { ms: Math.max(0, Date.parse(state.endedAt) - start), ticking: false };
  }
  const ticking = isOnline(connection.state);
  const until = (ticking ? now : (connection.lostAt ?? connection.since)) + connection.clockOffset;
  return { ms: Math.max(0, until - start), ticking };
}
