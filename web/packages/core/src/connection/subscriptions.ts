import type { Reset } from "../contract/contract.gen";
import { EVENT_TYPES } from "../contract/contract.gen";
import type { Event, EventType, Payload, Subscribed } from "../contract/types";
import type { Sink, Stream } from "../execution/source";
import type { Connection } from "./connection";
import { Feed, type Wire } from "./feed";
import { isOnline } from "./states";

/**
 * All feeds of a connection: subscribes them anew at each connect, and hands each what is its.
 * There is one feed an execution, as the server has it.
 */
export class Subscriptions {
  readonly #connection: Connection;
  readonly #feeds = new Map<string, Feed>();
  readonly #undo: (() => void)[] = [];
  readonly #wire: Wire;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#wire = {
      get open() {
        return isOnline(connection.getSnapshot().state);
      },
      subscribe: (executionId, after) =>
        connection.request("subscribe", { executionId, after, batch: true }),
      moved: () => connection.catchingUp(this.behind),
      closed: (feed) => this.#closed(feed),
    };
    this.#listen();
  }

  /** Some feed waits for events that the server has told of. */
  get behind(): boolean {
    for (const feed of this.#feeds.values()) if (feed.behind) return true;
    return false;
  }

  get size(): number {
    return this.#feeds.size;
  }

  /** @throws Error if the execution has a stream already. */
  open(executionId: string, sink: Sink, after: number): Stream {
    if (this.#feeds.has(executionId)) throw new Error(`${executionId} is subscribed already`);
    const feed = new Feed(executionId, sink, after, this.#wire);
    this.#feeds.set(executionId, feed);
    feed.ask();
    return feed;
  }

  /** Stop listening; the streams get nothing more. */
  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
    for (const feed of [...this.#feeds.values()]) feed.close();
  }

  #listen(): void {
    const connection = this.#connection;
    const on = (undo: () => void) => this.#undo.push(undo);
    for (const type of EVENT_TYPES) {
      on(
        connection.on(type, (payload: object) => {
          // a refusal has the name of an event, and no seq
          if ("seq" in payload) this.#receive(type, payload as Payload);
        }),
      );
    }
    on(
      connection.on("batch", ({ events }) => {
        for (const [type, payload] of events) this.#receive(type, payload);
      }),
    );
    on(
      connection.on("reset", ({ executionId, reason }: Reset) => {
        this.#feeds.get(executionId)?.reset(reason);
      }),
    );
    on(connection.on("presence", (told) => this.#sink(told.executionId)?.presence(told)));
    on(connection.on("executor", (told) => this.#sink(told.executionId)?.executor(told)));
    on(
      connection.on("connect", () => {
        for (const feed of this.#feeds.values()) feed.ask();
      }),
    );
    on(
      connection.on("disconnect", () => {
        for (const feed of this.#feeds.values()) feed.lost();
      }),
    );
  }

  #receive(type: EventType, payload: Payload): void {
    // fresh from the parser and nobody else's: no need for a copy
    const event = payload as Event;
    event.type = type;
    this.#feeds.get(event.executionId)?.receive(event);
  }

  #sink(executionId: string): Sink | undefined {
    return this.#feeds.get(executionId)?.sink;
  }

  #closed(feed: Feed): void {
    if (this.#feeds.get(feed.executionId) === feed) {
      this.#feeds.delete(feed.executionId);
      if (this.#wire.open) this.#connection.emit("unsubscribe", feed.executionId);
    }
    this.#wire.moved();
  }
}

export type { Subscribed };
