import type { ErrorInfo, RunroomError } from "../contract/errors";
import type { Event, Subscribed } from "../contract/types";
import type { Sink, Stream } from "../execution/source";

const RETRY_MS = 1_000;

/** How a feed reaches the server. */
export interface Wire {
  readonly open: boolean;
  subscribe(executionId: string, after: number): Promise<Subscribed>;
  /** The feed has got further, or has ended. */
  moved(): void;
  closed(feed: Feed): void;
}

/**
 * One execution's stream, made whole: it goes on where it was after a loss, drops what comes
 * twice, and asks again from the last seq when one is missing.
 */
export class Feed implements Stream {
  /** The seq of the last event that was passed on. */
  last: number;
  /** What the counters are for: to see in a test, and on a page that shows its connection. */
  readonly counts = { repeats: 0, holes: 0 };
  readonly #executionId: string;
  readonly #sink: Sink;
  readonly #wire: Wire;
  #head = 0;
  #ended = false;
  /** Which request counts; 0 when none is under way. */
  #asking = 0;
  #asked = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(executionId: string, sink: Sink, after: number, wire: Wire) {
    this.#executionId = executionId;
    this.#sink = sink;
    this.last = after;
    this.#wire = wire;
  }

  /** The server has told of events that are not here yet. */
  get behind(): boolean {
    return !this.#ended && (this.#asking !== 0 || this.last < this.#head);
  }

  /** The connection stands: subscribe after the last seq. */
  ask(): void {
    clearTimeout(this.#retry);
    if (this.#ended || !this.#wire.open) return;
    this.#asked += 1;
    const request = this.#asked;
    this.#asking = request;
    this.#askedAt = Date.now();
    this.#wire.subscribe(this.#executionId, this.last).then(
      (answer) => {
        if (request === this.#asking) this.#answered(answer);
      },
      (error: RunroomError) => {
        if (request === this.#asking) this.#refused(error);
      },
    );
    this.#wire.moved();
  }

  /** The connection was lost; `ask` comes with the next one. */
  lost(): void {
    clearTimeout(this.#retry);
    this.#asking = 0;
  }

  receive(event: Event): void {
    if (this.#ended) return;
    if (event.seq <= this.last) {
      this.counts.repeats += 1;
      return;
    }
    if (event.seq > this.last + 1) return this.#hole();
    this.last = event.seq;
    this.#sink.event(event);
    if (event.seq === this.#head) this.#wire.moved();
  }

  reset(reason: "ahead" | "deleted"): void {
    if (this.#ended) return;
    if (reason === "deleted") {
      this.#end();
    } else {
      this.last = 0;
    }
    this.#sink.reset(reason);
    this.#wire.moved();
  }

  restart(after: number): void {
    this.last = after;
    this.ask();
  }

  close(): void {
    this.#end();
    this.#wire.closed(this);
  }

  get executionId(): string {
    return this.#executionId;
  }

  get sink(): Sink {
    return this.#sink;
  }

  #answered({ head, state }: Subscribed): void {
    this.#asking = 0;
    this.#head = head;
    this.#sink.started(state, head);
    this.#wire.moved();
  }

  #refused(error: RunroomError): void {
    this.#asking = 0;
    // the connection is gone: its next `open` asks again
    if (error.code === "offline" || !this.#wire.open) return;
    if (error.transient) {
      this.#retry = setTimeout(() => this.ask(), error.retryAfterMs ?? RETRY_MS);
      return;
    }
    this.#end();
    const info: ErrorInfo = { code: error.code, message: error.message };
    this.#sink.failed(info);
    this.#wire.moved();
  }

  #hole(): void {
    // what the old subscription still sends says nothing about the new one
    if (this.#asking !== 0) return;
    this.counts.holes += 1;
    const wait = this.#askedAt + RETRY_MS - Date.now();
    clearTimeout(this.#retry);
    // at once, but a hole that comes back again and again does not make a storm
    if (wait <= 0 || this.counts.holes === 1) this.ask();
    else this.#retry = setTimeout(() => this.ask(), wait);
  }

  #end(): void {
    this.#ended = true;
    this.#asking = 0;
    clearTimeout(this.#retry);
  }
}
