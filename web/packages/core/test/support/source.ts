import type { ConnectionSnapshot, Event, ExecutionState, Sink, Source } from "../../src";
import { CONNECTED } from "../../src";
import { Listeners } from "../../src/listeners";

/** A source that says what the test says. */
export class FakeSource implements Source {
  readonly opened: { after: number; sink: Sink; closed: boolean; restarts: number[] }[] = [];
  readonly asked: { resolve: (state: ExecutionState) => void; reject: (error: Error) => void }[] =
    [];
  #connection: ConnectionSnapshot = CONNECTED;
  readonly #listeners = new Listeners();
  readonly connection = {
    subscribe: (listener: () => void) => this.#listeners.add(listener),
    getSnapshot: () => this.#connection,
  };

  open(_: string, sink: Sink, after: number) {
    const stream = { after, sink, closed: false, restarts: [] as number[] };
    this.opened.push(stream);
    return {
      restart: (from: number) => void stream.restarts.push(from),
      close: () => {
        stream.closed = true;
      },
    };
  }

  snapshot(): Promise<ExecutionState> {
    return new Promise((resolve, reject) => this.asked.push({ resolve, reject }));
  }

  get stream() {
    return this.opened.at(-1)!;
  }

  /** The last stream brings these. */
  send(...events: Event[]): void {
    for (const event of events) this.stream.sink.event(structuredClone(event));
  }

  connect(more: Partial<ConnectionSnapshot>): void {
    this.#connection = { ...this.#connection, ...more };
    this.#listeners.notify();
  }
}

/** A scheduler's frames, made by hand. */
export class Frames {
  readonly #tasks = new Set<() => void>();

  request(task: () => void): void {
    this.#tasks.add(task);
  }

  cancel(task: () => void): void {
    this.#tasks.delete(task);
  }

  get waiting(): number {
    return this.#tasks.size;
  }

  flush(): void {
    const tasks = [...this.#tasks];
    this.#tasks.clear();
    for (const task of tasks) task();
  }
}
