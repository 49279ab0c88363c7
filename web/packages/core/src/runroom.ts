import { Connection } from "./connection/connection";
import { Holds } from "./connection/holds";
import type { ConnectionOptions } from "./connection/options";
import { Outbox } from "./connection/outbox";
import { Subscriptions } from "./connection/subscriptions";
import { type TokenSource, Tokens } from "./connection/token";
import { Api } from "./http/api";
import type { Accepted, ExecuteOptions } from "./http/types";
import type { LogRingOptions } from "./logs/ring";
import { Replay } from "./replay/replay";
import { Scheduler } from "./scheduler";
import { type Watch, type Watchable, Watches, type WatchOptions } from "./watch";

export interface RunroomOptions {
  /** Default: `VITE_WS_URL`, `VITE_BACKEND_URL`, `http://localhost:3001`. */
  url?: string | undefined;
  token?: TokenSource;
  /** Connect with the first watch, and end that with the last. Default: true. */
  autoConnect?: boolean;
  /** How long a store lives on after its last watch was released, ms. Default: 1000. */
  lingerMs?: number;
  /** Of each watched execution. Default: 200,000 lines. */
  log?: LogRingOptions;
  connection?: Partial<Omit<ConnectionOptions, "url" | "token" | "namespace">>;
  fetch?: typeof fetch;
  scheduler?: Scheduler;
}

/** A Runroom server, to follow and to command; puts the parts together. */
export class Runroom implements Watchable {
  readonly connection: Connection;
  readonly api: Api;
  /** What was asked for with `execute` and `cancel` and has not reached the server yet. */
  readonly outbox = new Outbox();
  readonly #autoConnect: boolean;
  readonly #scheduler: Scheduler;
  readonly #subscriptions: Subscriptions;
  readonly #watches: Watches;
  readonly #tokens: Tokens;
  readonly #holds: Holds;

  constructor(options: RunroomOptions = {}) {
    const { url, token, autoConnect = true, lingerMs = 1_000, log = {} } = options;
    this.#tokens = new Tokens(token);
    this.#autoConnect = autoConnect;
    this.#scheduler = options.scheduler ?? new Scheduler();
    const { fetch } = options;
    this.api = new Api({ url, token: this.#tokens, ...(fetch && { fetch }) });
    const address = { url: this.api.url, token: this.#tokens };
    this.connection = new Connection({ ...options.connection, ...address });
    this.#holds = new Holds(this.connection, lingerMs);
    this.connection.on("connect", () => this.outbox.wake());
    this.#subscriptions = new Subscriptions(this.connection);
    const source = {
      open: this.#subscriptions.open.bind(this.#subscriptions),
      snapshot: (executionId: string) => this.api.executions.get(executionId),
      connection: this.connection,
    };
    this.#watches = new Watches(source, this.#scheduler, log, lingerMs);
  }

  /** Follow an execution. Watches are counted: the last `release()` unsubscribes. */
  watch(executionId: string, options?: WatchOptions): Watch {
    const letGo = this.#autoConnect ? this.hold() : () => {};
    const { store, release } = this.#watches.watch(executionId, options);
    return {
      store,
      release: () => {
        release();
        letGo();
      },
    };
  }

  /**
   * Be connected, whether something is watched or not. Counted, with every watch: the last
   * release ends a connection that the first of them opened.
   */
  hold(): () => void {
    return this.#holds.hold();
  }

  /** A connection of its own, with the same address and token; its owner connects and ends it. */
  socket<In extends object, Out extends object>(
    options: Partial<Omit<ConnectionOptions, "url" | "token">>,
  ): Connection<In, Out> {
    return new Connection<In, Out>({ ...options, url: this.api.url, token: this.#tokens });
  }

  /** The execution as it was at any moment; call `load()` to read it. */
  replay(executionId: string): Replay {
    const types = ["status", "nodeStatus", "progress", "result", "error"] as const;
    const read = (after: number) => this.api.executions.events(executionId, { after, types });
    return new Replay(read, this.#scheduler);
  }

  /** As `api.executions.execute`; without a connection it waits, and is done once all the same. */
  execute(request: ExecuteOptions): Promise<Accepted> {
    const idempotencyKey = request.idempotencyKey ?? newKey();
    return this.outbox.push(() => this.api.executions.execute({ ...request, idempotencyKey }));
  }

  /** As `api.executions.cancel`; without a connection it waits. */
  cancel(executionId: string): Promise<Accepted> {
    return this.outbox.push(() => this.api.executions.cancel(executionId));
  }

  /** Another caller's token, or another way to get one. */
  setToken(token: TokenSource): void {
    this.connection.setToken(token);
  }

  /** End everything, for good. */
  close(): void {
    this.#watches.close();
    this.#subscriptions.close();
    this.outbox.close();
    this.#holds.close();
    this.connection.disconnect();
  }
}

/** A page without HTTPS has no `crypto.randomUUID`. */
function newKey(): string {
  const words = crypto.getRandomValues(new Uint32Array(4));
  return Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");
}
