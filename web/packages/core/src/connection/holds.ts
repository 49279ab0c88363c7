import type { Connection } from "./connection";

type Held = Pick<Connection, "connect" | "disconnect" | "getSnapshot">;

/**
 * Keeps a connection for as long as somebody holds it, and a little longer. One that was opened
 * by hand is nobody's to end but the hand's.
 */
export class Holds {
  readonly #connection: Held;
  readonly #lingerMs: number;
  #count = 0;
  /** It was opened for a holder. */
  #ours = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Held, lingerMs: number) {
    this.#connection = connection;
    this.#lingerMs = lingerMs;
  }

  /** @returns the release, which counts once. */
  hold(): () => void {
    clearTimeout(this.#timer);
    this.#count += 1;
    if (this.#connection.getSnapshot().state === "disconnected") {
      this.#ours = true;
      this.#connection.connect();
    }
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#count -= 1;
      if (this.#count === 0 && this.#ours) {
        this.#timer = setTimeout(() => this.close(), this.#lingerMs);
      }
    };
  }

  /** End what was opened for holders. */
  close(): void {
    clearTimeout(this.#timer);
    if (this.#ours) this.#connection.disconnect();
    this.#ours = false;
  }
}
