import { Connection } from "./connection/connection";
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
  /** Connect with the first watch. Default: true. */
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

  constructor(options: RunroomOptions = {}) {
    const { url, token, autoConnect = true, lingerMs = 1_000, log = {} } = options;
    this.#tokens = new Tokens(token);
    this.#autoConnect = autoConnect;
    this.#scheduler = options.scheduler ?? new Scheduler();
    const { fetch } = options;
    this.api = new Api({ url, token: this.#tokens, ...(fetch && { fetch }) });
    const address = { url: this.api.url, token: this.#tokens };
    this.connection = new Connection({ ...options.connection, ...address });
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
    if (this.#autoConnect && this.connection.getSnapshot().state === "disconnected") {
      this.connection.connect();
    }
    return this.#watches.watch(executionId, options);
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
    this.connection.disconnect();
  }
}

/** A page without HTTPS has no `crypto.randomUUID`. */
function newKey(): string {
  const words = crypto.getRandomValues(new Uint32Array(4));
  return Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");
}
