/** Callbacks that want to know. One that throws does not keep it from the others. */
export class Listeners<T extends unknown[] = []> {
  readonly #callbacks = new Set<{ call: (...args: T) => void }>();

  get size(): number {
    return this.#callbacks.size;
  }

  /** @returns the undo. */
  add(callback: (...args: T) => void): () => void {
    // an object of its own, so that a function that is added twice is called twice
    const entry = { call: callback };
    this.#callbacks.add(entry);
    return () => void this.#callbacks.delete(entry);
  }

  notify(...args: T): void {
    for (const entry of [...this.#callbacks]) {
      try {
        entry.call(...args);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** What fails in a caller's callback is the caller's: it goes where uncaught errors go. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
