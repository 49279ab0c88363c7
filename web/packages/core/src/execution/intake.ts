import type { ExecutionState, ExecutorState, Presence } from "../contract/contract.gen";
import { type ErrorInfo, errorInfo, RunroomError } from "../contract/errors";
import { Draft, initial } from "../contract/fold";
import { isTerminal } from "../contract/states";
import { type Event, recordOf } from "../contract/types";
import type { Log } from "../logs/log";
import type { Phase } from "./snapshot";
import type { Sink, Source, Stream } from "./source";
import type { Timeline } from "./timeline";

const RETRY_MS = 1_000;

/** What is known of an execution at the moment of a flush. */
export interface Taken {
  readonly state: ExecutionState | null;
  readonly seq: number;
  readonly head: number;
  readonly phase: Phase;
  readonly presence: Presence | null;
  readonly error: ErrorInfo | null;
}

/** The side of a store that events come in by: folds them as they come, and keeps the result. */
export class Intake {
  readonly #executionId: string;
  readonly #source: Source;
  readonly #log: Log;
  readonly #timeline: Timeline;
  readonly #changed: () => void;
  #history: boolean;
  #stream: Stream | undefined;
  #closed = false;

  /** What was folded up to the last flush, and what came since. */
  #folded: ExecutionState | undefined;
  #draft: Draft | undefined;
  /** The server's snapshot, shown while the fold is on its way to it. */
  #ahead: ExecutionState | undefined;
  /** Events that came before there was a record to fold them on. */
  #held: Event[] | undefined;
  #head = 0;
  #presence: Presence | null = null;
  #executor: ExecutorState | null = null;
  #over: { phase: "deleted" | "error"; error: ErrorInfo | null } | undefined;
  #mended = false;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    executionId: string,
    source: Source,
    log: Log,
    timeline: Timeline,
    history: boolean,
    changed: () => void,
  ) {
    this.#executionId = executionId;
    this.#source = source;
    this.#log = log;
    this.#timeline = timeline;
    this.#history = history;
    this.#changed = changed;
  }

  open(): void {
    if (this.#history) this.#stream = this.#source.open(this.#executionId, this.#sink, 0);
    else void this.#beginNow();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#stream?.close();
  }

  /** The events of the past are wanted too: begins again with the first, if it left them out. */
  requireHistory(): void {
    if (this.#history || this.#over !== undefined) return;
    this.#history = true;
    this.#ahead ??= this.#draft?.finish() ?? this.#folded;
    this.#forget();
    if (this.#stream !== undefined) this.#stream.restart(0);
    else this.#stream = this.#source.open(this.#executionId, this.#sink, 0);
  }

  /** What has come until now. */
  take(): Taken {
    if (this.#draft !== undefined) this.#folded = this.#draft.finish();
    this.#draft = undefined;
    const seq = this.#folded?.seq ?? 0;
    // once the fold knows as much, it is what is shown
    if (this.#ahead !== undefined && seq >= this.#ahead.seq) this.#ahead = undefined;
    const state = this.#shown();
    const { phase, error } = this.#over ?? { phase: this.#phase(state, seq), error: null };
    return { state, seq, head: this.#head, phase, presence: this.#presence, error };
  }

  readonly #sink: Sink = {
    started: (snapshot, head) => {
      this.#head = head;
      if (snapshot !== null) {
        this.#know(snapshot);
      } else if (this.#folded === undefined && this.#held === undefined) {
        this.#held = [];
        void this.#fetch();
      }
      this.#changed();
    },
    event: (event) => this.#event(event),
    reset: (reason) => {
      if (reason === "deleted") this.#over = { phase: "deleted", error: null };
      else this.#forget();
      this.#changed();
    },
    presence: (presence) => {
      this.#presence = presence;
      this.#changed();
    },
    executor: ({ executorId, state }) => {
      this.#executor = { executorId, state, lastSeenAt: null };
      this.#changed();
    },
    failed: (error) => this.#fail(error),
  };

  /** Without history: from the snapshot on. */
  async #beginNow(): Promise<void> {
    const state = await this.#fetch();
    if (state === undefined || this.#stream !== undefined) return;
    this.#stream = this.#source.open(this.#executionId, this.#sink, state.seq);
  }

  /** The snapshot, as soon as the server can be reached. */
  async #fetch(): Promise<ExecutionState | undefined> {
    for (;;) {
      try {
        const state = await this.#source.snapshot(this.#executionId);
        if (this.#closed) return undefined;
        this.#know(state);
        const held = this.#held ?? [];
        this.#held = undefined;
        for (const event of held) this.#event(event);
        this.#changed();
        return state;
      } catch (error) {
        if (this.#closed) return undefined;
        if (!(error instanceof RunroomError && error.transient)) {
          this.#fail(errorInfo(error));
          return undefined;
        }
        await new Promise((resolve) => {
          this.#retry = setTimeout(resolve, error.retryAfterMs ?? RETRY_MS);
        });
      }
    }
  }

  /** A snapshot of the server: to show at once, and to begin the fold with. */
  #know(snapshot: ExecutionState): void {
    this.#head = Math.max(this.#head, snapshot.seq);
    this.#executor = snapshot.executor;
    if (snapshot.seq > (this.#draft?.seq ?? this.#folded?.seq ?? -1)) this.#ahead = snapshot;
    if (this.#folded !== undefined) return;
    if (this.#history) {
      this.#folded = initial(recordOf(snapshot));
    } else {
      this.#folded = snapshot;
      this.#timeline.restore(snapshot);
    }
  }

  #event(event: Event): void {
    if (this.#held !== undefined) {
      this.#held.push(event);
      return;
    }
    if (this.#folded === undefined || this.#over !== undefined) return;
    this.#draft ??= new Draft(this.#folded);
    try {
      this.#draft.apply(event);
    } catch (error) {
      this.#broken(errorInfo(error));
      return;
    }
    this.#head = Math.max(this.#head, event.seq);
    if (event.type === "log") this.#log.append(event);
    else this.#timeline.apply(event);
    if (event.type === "status" && isTerminal(event.status)) this.#executor = null;
    this.#changed();
  }

  /** The events do not fold: read the whole log once more, and if that does not help, say so. */
  #broken(error: ErrorInfo): void {
    if (this.#mended) return this.#fail(error);
    this.#mended = this.#history = true;
    this.#forget();
    this.#stream?.restart(0);
    this.#changed();
  }

  #fail(error: ErrorInfo): void {
    this.#over = { phase: "error", error };
    this.#stream?.close();
    this.#changed();
  }

  #forget(): void {
    const known = this.#ahead ?? this.#folded;
    this.#draft = undefined;
    // what follows are all events from the first on
    this.#folded = known && initial(recordOf(known));
    this.#timeline.clear();
    this.#log.ring.clear();
  }

  #shown(): ExecutionState | null {
    const state = this.#ahead ?? this.#folded;
    if (state === undefined) return null;
    if (state.executor === this.#executor) return state;
    // the lease's word, not the log's
    const shown = { ...state, executor: this.#executor };
    if (state === this.#folded) this.#folded = shown;
    else this.#ahead = shown;
    return shown;
  }

  #phase(state: ExecutionState | null, seq: number): Phase {
    if (state === null) return "loading";
    if (seq < this.#head) return "catching-up";
    return isTerminal(state.status) ? "ended" : "live";
  }
}
