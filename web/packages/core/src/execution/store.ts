import type { ExecutionState, NodeState } from "../contract/contract.gen";
import { Listeners } from "../listeners";
import { Log } from "../logs/log";
import type { LogRing, LogRingOptions } from "../logs/ring";
import type { LogFilter, LogView } from "../logs/view";
import type { Scheduler } from "../scheduler";
import { Intake } from "./intake";
import { type Change, type Duration, durationOf, type ExecutionSnapshot } from "./snapshot";
import type { Source } from "./source";
import { Timeline } from "./timeline";

export interface StoreOptions {
  /** True: all events from seq 1. False: from the present snapshot on. */
  history?: boolean;
  log?: LogRingOptions;
}

const NOTHING: ReadonlySet<string> = new Set();

/** One execution as it is now: what comes is folded at once, and shown once a frame. */
export class ExecutionStore {
  readonly executionId: string;
  /** When each node ran, try by try. */
  readonly timeline = new Timeline();
  readonly #source: Source;
  readonly #scheduler: Scheduler;
  readonly #log: Log;
  readonly #intake: Intake;
  readonly #listeners = new Listeners<[Change]>();
  readonly #nodeListeners = new Map<string, Listeners>();
  readonly #undo: () => void;
  #snapshot: ExecutionSnapshot;
  #closed = false;

  constructor(
    executionId: string,
    source: Source,
    scheduler: Scheduler,
    { history = true, log = {} }: StoreOptions = {},
  ) {
    this.executionId = executionId;
    this.#source = source;
    this.#scheduler = scheduler;
    const changed = () => {
      if (!this.#closed) scheduler.request(this.#flush);
    };
    this.#log = new Log(log, changed);
    this.#snapshot = {
      executionId,
      version: 0,
      phase: "loading",
      state: null,
      seq: 0,
      head: 0,
      progress: 0,
      presence: null,
      executor: null,
      connection: source.connection.getSnapshot(),
      error: null,
      dirtyNodes: NOTHING,
      logs: { first: 0, end: 0, dropped: 0 },
    };
    this.#intake = new Intake(executionId, source, this.#log, this.timeline, history, changed);
    this.#undo = source.connection.subscribe(changed);
    this.#intake.open();
  }

  /** The same object until the next flush. */
  getSnapshot = (): ExecutionSnapshot => this.#snapshot;

  /** Called after each flush that changed something. */
  subscribe = (listener: (change: Change) => void): (() => void) => this.#listeners.add(listener);

  /** The same object until this node changes. */
  getNode(nodeId: string): NodeState | undefined {
    return nodeOf(this.#snapshot.state, nodeId);
  }

  /** Called after each flush that changed this node. */
  subscribeNode(nodeId: string, listener: () => void): () => void {
    const listeners = this.#nodeListeners.get(nodeId) ?? new Listeners();
    this.#nodeListeners.set(nodeId, listeners);
    const undo = listeners.add(listener);
    return () => {
      undo();
      if (listeners.size === 0) this.#nodeListeners.delete(nodeId);
    };
  }

  /** The lines as they lie in memory; to show them, take a `view`. */
  get logs(): LogRing {
    return this.#log.ring;
  }

  /** The lines that pass a filter; `release()` it when it is not shown any more. */
  view(filter?: LogFilter): LogView {
    return this.#log.view(filter);
  }

  /** Forget the lines that are here; the server keeps them. */
  clearLogs(): void {
    this.#log.clear();
  }

  /** How long it has taken; for a clock that ticks, call it on a timer of your own. */
  duration(now = Date.now()): Duration {
    return durationOf(this.#snapshot.state, this.#snapshot.connection, now);
  }

  /** The events of the past are wanted too: begins again with the first, if it left them out. */
  requireHistory(): void {
    this.#intake.requireHistory();
  }

  /** Show what has come, without waiting for the frame. */
  flush(): void {
    this.#scheduler.cancel(this.#flush);
    this.#flush();
  }

  close(): void {
    this.#closed = true;
    this.#undo();
    this.#intake.close();
    this.#scheduler.cancel(this.#flush);
  }

  readonly #flush = (): void => {
    const before = this.#snapshot;
    const taken = this.#intake.take();
    const { state } = taken;
    const dirtyNodes = differing(before.state, state);
    const { first, end, dropped } = this.#log.ring;
    const moved = first !== before.logs.first || end !== before.logs.end;
    const connection = this.#source.connection.getSnapshot();
    this.#snapshot = {
      executionId: this.executionId,
      version: before.version + 1,
      ...taken,
      progress: state?.progress ?? 0,
      executor: state?.executor ?? null,
      connection,
      dirtyNodes,
      logs: moved ? { first, end, dropped } : before.logs,
    };
    this.#log.flush();
    for (const nodeId of dirtyNodes) this.#nodeListeners.get(nodeId)?.notify();
    this.#listeners.notify({
      nodes: dirtyNodes,
      state: state !== before.state,
      logs: moved,
      connection: connection !== before.connection,
    });
  };
}

function nodeOf(state: ExecutionState | null, nodeId: string): NodeState | undefined {
  return state !== null && Object.hasOwn(state.nodes, nodeId) ? state.nodes[nodeId] : undefined;
}

/** Ids of all nodes that are not the same object in both. */
export function differing(
  before: ExecutionState | null,
  after: ExecutionState | null,
): ReadonlySet<string> {
  if (before?.nodes === after?.nodes) return NOTHING;
  const found = new Set<string>();
  for (const state of [before, after]) {
    for (const nodeId of Object.keys(state?.nodes ?? {})) {
      if (nodeOf(before, nodeId) !== nodeOf(after, nodeId)) found.add(nodeId);
    }
  }
  return found;
}
