import { RunroomError } from "../contract/errors";
import { Listeners } from "../listeners";

interface Entry {
  run: () => Promise<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/**
 * What a caller asked for, done in order; what fails because the server cannot be reached waits
 * and is tried again, at the latest after `retryMs`.
 *
 * At `limit` waiting requests a further one is refused with `queue_full`.
 */
export class Outbox {
  readonly #limit: number;
  readonly #retryMs: number;
  readonly #entries: Entry[] = [];
  readonly #listeners = new Listeners();
  #busy = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ limit = 100, retryMs = 5_000 }: { limit?: number; retryMs?: number } = {}) {
    this.#limit = limit;
    this.#retryMs = retryMs;
  }

  /** How many requests wait or are under way. */
  get size(): number {
    return this.#entries.length;
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /**
   * Args: `run` may be called several times, so that it should not do its work twice.
   * @throws RunroomError `queue_full`, `closed`, or what the server refused it with.
   */
  push<T>(run: () => Promise<T>): Promise<T> {
    if (this.#entries.length >= this.#limit) {
      const message = `${this.#limit} requests wait for the server already`;
      return Promise.reject(new RunroomError("queue_full", message));
    }
    const done = new Promise<T>((resolve, reject) => {
      this.#entries.push({ run, resolve: resolve as Entry["resolve"], reject });
    });
    this.#listeners.notify();
    // behind one that waits for its next try, it waits too
    if (this.#timer === undefined) void this.#work();
    return done;
  }

  /** The server is back: do not wait any longer. */
  wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    void this.#work();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const entry of this.#entries.splice(0)) {
      entry.reject(new RunroomError("closed", "closed before the server could be asked"));
    }
    this.#listeners.notify();
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let entry = this.#entries[0]; entry !== undefined; entry = this.#entries[0]) {
      try {
        entry.resolve(await entry.run());
      } catch (error) {
        if (error instanceof RunroomError && error.transient && this.#entries[0] === entry) {
          this.#timer = setTimeout(() => this.wake(), error.retryAfterMs ?? this.#retryMs);
          break;
        }
        entry.reject(error);
      }
      if (this.#entries[0] === entry) this.#entries.shift();
      this.#listeners.notify();
    }
    this.#busy = false;
  }
}
