import type { ConnectionSnapshot } from "./connection/options";
import type { Source } from "./execution/source";
import { ExecutionStore, type StoreOptions } from "./execution/store";
import type { Accepted, ExecuteOptions } from "./http/types";
import type { Replay } from "./replay/replay";
import type { Scheduler } from "./scheduler";

export interface WatchOptions {
  /**
   * True: all events from the first on. False: from the present snapshot on, which is enough for
   * a tile or a list: no lines and no tries of the past. Default: true.
   */
  history?: boolean;
}

/** Where executions run and can be watched: a server, or the simulator. */
export interface Watchable {
  readonly connection: {
    subscribe(listener: () => void): () => void;
    getSnapshot(): ConnectionSnapshot;
    reconnect(): void;
  };
  /** Be connected, whether something is watched or not. @returns the release. */
  hold(): () => void;
  watch(executionId: string, options?: WatchOptions): Watch;
  replay(executionId: string): Replay;
  execute(request: ExecuteOptions): Promise<Accepted>;
  /** @returns a promise, unless it is done at once. */
  cancel(executionId: string): unknown;
  close(): void;
}

/** Somebody's interest in an execution. */
export interface Watch {
  readonly store: ExecutionStore;
  /** No longer interested; a second call does nothing. */
  release(): void;
}

/** One store an execution, however many watch it; kept a little longer than the last of them. */
export class Watches {
  readonly #source: Source;
  readonly #scheduler: Scheduler;
  readonly #log: NonNullable<StoreOptions["log"]>;
  readonly #lingerMs: number;
  readonly #watched = new Map<string, Watched>();

  constructor(
    source: Source,
    scheduler: Scheduler,
    log: NonNullable<StoreOptions["log"]>,
    lingerMs: number,
  ) {
    this.#source = source;
    this.#scheduler = scheduler;
    this.#log = log;
    this.#lingerMs = lingerMs;
  }

  watch(executionId: string, { history = true }: WatchOptions = {}): Watch {
    let watched = this.#watched.get(executionId);
    if (watched !== undefined && isOver(watched.store) && watched.count === 0) {
      // who comes back to one that failed wants another try
      this.#end(executionId, watched);
      watched = undefined;
    }
    if (watched === undefined) {
      const options = { history, log: this.#log };
      const store = new ExecutionStore(executionId, this.#source, this.#scheduler, options);
      watched = { store, count: 0, timer: undefined };
      this.#watched.set(executionId, watched);
    } else if (history) {
      watched.store.requireHistory();
    }
    clearTimeout(watched.timer);
    watched.count += 1;
    return this.#counted(executionId, watched);
  }

  close(): void {
    for (const [executionId, watched] of this.#watched) this.#end(executionId, watched);
  }

  #counted(executionId: string, watched: Watched): Watch {
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      watched.count -= 1;
      if (watched.count > 0) return;
      watched.timer = setTimeout(() => this.#end(executionId, watched), this.#lingerMs);
    };
    return { store: watched.store, release };
  }

  #end(executionId: string, watched: Watched): void {
    clearTimeout(watched.timer);
    if (this.#watched.get(executionId) === watched) this.#watched.delete(executionId);
    watched.store.close();
  }
}

interface Watched {
  store: ExecutionStore;
  count: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

function isOver(store: ExecutionStore): boolean {
  const { phase } = store.getSnapshot();
  return phase === "error" || phase === "deleted";
}
