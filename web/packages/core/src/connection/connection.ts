import { io, type Socket } from "socket.io-client";
import { type ErrorInfo, errorInfo, RunroomError } from "../contract/errors";
import type { Answer, ClientToServerEvents, ServerToClientEvents } from "../contract/types";
import { serverUrl } from "../http/address";
import { Listeners } from "../listeners";
import {
  CONNECTION_DEFAULTS,
  type ConnectionOptions,
  type ConnectionSnapshot,
  disconnected,
} from "./options";
import { type ConnectionInput, isOnline, moveConnection } from "./states";
import { type TokenSource, Tokens } from "./token";
import { Upkeep } from "./upkeep";

type EventMap = { [event: string]: (...args: never[]) => void };
type Name<M> = string & keyof M;
type Args<F> = F extends (...args: infer A) => void ? A : never;
/** What stands before the acknowledgement. */
/** What stands before the acknowledgement, and what the acknowledgement brings. */
type Request<F> = Args<F> extends [infer A, ...unknown[]] ? [A] : [];
type AnswerOf<F> = F extends (argument: never, ack?: (answer: Answer<infer T>) => void) => void
  ? T
  : never;

const SECOND = 1_000;

/**
 * One socket that stays, however often its transport is lost: states, tries, tokens, round trip,
 * and a queue for what is emitted meanwhile.
 */
export class Connection<
  In extends object = ServerToClientEvents,
  Out extends object = ClientToServerEvents,
> {
  readonly options: ConnectionOptions;
  /** Exact; the snapshot's moves once a second. */
  lastEventAt: number | null = null;
  readonly #socket: Socket<EventMap, EventMap>;
  readonly #tokens: Tokens;
  readonly #listeners = new Listeners();
  readonly #handlers = new Set<{ event: string; handler: (...args: never[]) => void }>();
  readonly #queue: (() => void)[] = [];
  #snapshot: ConnectionSnapshot;
  /** Which try is under way; one that was overtaken has another number. */
  #try = 0;
  #freshTokenTried = false;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #connectTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #upkeep: Upkeep;

  constructor(options: Partial<ConnectionOptions> = {}) {
    const url = serverUrl(options.url);
    this.options = { token: undefined, ...CONNECTION_DEFAULTS, ...options, url };
    const { token, namespace, transports, connectTimeout } = this.options;
    this.#tokens = token instanceof Tokens ? token : new Tokens(token);
    this.#snapshot = disconnected();
    this.#socket = io(url + namespace, {
      autoConnect: false,
      // tries are ours, so that their countdown can be shown
      reconnection: false,
      forceNew: true,
      transports,
      tryAllTransports: true,
      timeout: connectTimeout,
    });
    this.#upkeep = new Upkeep(this as Connection<In, ClientToServerEvents>, this.#tokens, (found) =>
      this.#change(found),
    );
    this.#socket.on("connect", () => this.#opened());
    this.#socket.on("connect_error", (error) => this.#failed(error));
    this.#socket.on("disconnect", (reason) => this.#dropped(reason));
    this.#socket.on("auth", () => this.#tokens.stale());
    this.#socket.onAny(() => this.#heard());
  }

  getSnapshot = (): ConnectionSnapshot => this.#snapshot;

  subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener);

  connect(): void {
    const { state } = this.#snapshot;
    if (state !== "disconnected" && state !== "error") return;
    this.#move("open", { attempt: 0, error: null });
    watchNetwork(this.#wake, true);
    void this.#open();
  }

  /** For good, until `connect()`. What waits in the queue goes on waiting. */
  disconnect(): void {
    this.#stop();
    watchNetwork(this.#wake, false);
    this.#socket.disconnect();
    this.#move("close", { attempt: 0, retryAt: null, transport: null });
  }

  /** Now, whatever the state: cuts a connection that stands, and ends waiting for the next try. */
  reconnect(): void {
    const { state } = this.#snapshot;
    if (state === "disconnected" || state === "error") return this.connect();
    this.#stop();
    this.#socket.disconnect();
    this.#move("lost", { attempt: 1, retryAt: null });
    void this.#open();
  }

  /** @returns the undo. Also `connect`, `disconnect` and `connect_error`. */
  on<E extends Name<In>>(event: E, handler: In[E] & ((...args: never[]) => void)): () => void;
  on(event: "connect", handler: () => void): () => void;
  on(event: "disconnect", handler: (reason: string) => void): () => void;
  on(event: "connect_error", handler: (error: Error) => void): () => void;
  on(event: string, handler: (...args: never[]) => void): () => void {
    this.#socket.on(event, handler);
    this.#handlers.add({ event, handler });
    return () => this.off(event, handler);
  }

  /** Without a handler: all that were added with `on`. */
  off(event: string, handler?: (...args: never[]) => void): void {
    for (const entry of [...this.#handlers]) {
      if (entry.event !== event || (handler !== undefined && entry.handler !== handler)) continue;
      this.#socket.off(event, entry.handler);
      this.#handlers.delete(entry);
    }
  }

  /**
   * Send, or keep until the connection is there.
   * @returns false if the queue is full: then it is not sent.
   */
  emit<E extends Name<Out>>(event: E, ...args: Args<Out[E]>): boolean {
    return this.#whenOpen(() => this.#socket.emit(event, ...(args as unknown as never[])));
  }

  /**
   * Send, or keep until the connection is there, and wait for the answer.
   * @throws RunroomError with the server's code, `queue_full`, or `offline` if the connection was
   *   lost before the answer: then nobody knows whether it was heard.
   */
  request<E extends Name<Out>>(event: E, ...args: Request<Out[E]>): Promise<AnswerOf<Out[E]>> {
    return new Promise((resolve, reject) => {
      const send = () => {
        const timed = this.#socket.timeout(this.options.requestTimeout);
        const answered = (error: Error | null, answer?: Answer<AnswerOf<Out[E]>>) => {
          if (error) reject(this.#unanswered(event, error));
          else if (answer?.ok) resolve(answer);
          else reject(RunroomError.from(answer?.error));
        };
        (timed.emit as (...all: unknown[]) => void)(event, ...args, answered);
      };
      if (!this.#whenOpen(send)) {
        reject(new RunroomError("queue_full", "too many requests wait for the connection"));
      }
    });
  }

  /** Another caller's token, or another way to get one; a connection that stands is told. */
  setToken(token: TokenSource): void {
    this.#tokens.set(token);
    if (this.#socket.connected) void this.#upkeep.refresh();
  }

  /** Whether events of the past are on their way; for who keeps the subscriptions. */
  catchingUp(behind: boolean): void {
    this.#move(behind ? "behind" : "caught-up");
  }

  // --- a try, and how it ends -------------------------------------------------------------------

  async #open(): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#try += 1;
    const current = this.#try;
    this.#change({ retryAt: null });
    let token: string | undefined;
    try {
      token = await this.#tokens.get();
    } catch (error) {
      const { message } = errorInfo(error);
      if (current === this.#try) this.#lost({ code: "token_unavailable", message });
      return;
    }
    if (current !== this.#try) return;
    this.#socket.auth = token === undefined ? {} : { token };
    // of everything: also a server that takes the transport and never answers
    this.#connectTimer = setTimeout(() => {
      this.#socket.disconnect();
      this.#lost({ code: "timeout", message: "the server has not answered" });
    }, this.options.connectTimeout + SECOND);
    this.#socket.connect();
  }

  #opened(): void {
    clearTimeout(this.#connectTimer);
    this.#freshTokenTried = false;
    const transport = this.#socket.io.engine?.transport.name ?? null;
    this.#socket.io.engine?.once("upgrade", (to: { name: string }) => {
      this.#change({ transport: to.name });
    });
    this.#move("opened", { attempt: 0, retryAt: null, error: null, transport });
    for (const send of this.#queue.splice(0)) send();
    this.#change({ queued: 0 });
    this.#upkeep.start((this.#socket.auth as { token?: string }).token);
  }

  #failed(error: Error & { data?: { code?: string } }): void {
    clearTimeout(this.#connectTimer);
    if (this.#socket.active) return this.#lost({ code: "unreachable", message: error.message });
    const code = error.data?.code ?? error.message;
    if (code === "token_expired" && this.#tokens.renewable && !this.#freshTokenTried) {
      this.#freshTokenTried = true;
      this.#tokens.stale();
      void this.#open();
      return;
    }
    this.#stop();
    watchNetwork(this.#wake, false);
    this.#move("refused", { retryAt: null, error: { code, message: error.message } });
  }

  #dropped(reason: string): void {
    // ours: whoever called it goes on by itself
    if (reason === "io client disconnect") return;
    this.#lost({ code: "offline", message: `the connection was lost (${reason})` });
  }

  #lost(error: ErrorInfo): void {
    this.#stop();
    const attempt = this.#snapshot.attempt + 1;
    const { attempts, delay, delayMax } = this.options;
    if (attempt > attempts) {
      watchNetwork(this.#wake, false);
      const message = `gave up after ${attempts} tries: ${error.message}`;
      this.#move("gave-up", {
        retryAt: null,
        transport: null,
        error: { code: "unreachable", message },
      });
      return;
    }
    const wait = Math.min(delayMax, delay * 2 ** (attempt - 1) * (1 + Math.random() / 2));
    this.#move("lost", { attempt, error, retryAt: Date.now() + wait, transport: null });
    this.#retryTimer = setTimeout(() => void this.#open(), wait);
  }

  /** The network, or the tab, is back: a try that waits is made now. */
  #wake = (): void => {
    if (this.#snapshot.retryAt !== null && !document.hidden) void this.#open();
  };

  #stop(): void {
    this.#try += 1;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#connectTimer);
    this.#upkeep.stop();
  }

  #heard(): void {
    const now = Date.now();
    this.lastEventAt = now;
    if (now - (this.#snapshot.lastEventAt ?? 0) >= SECOND) this.#change({ lastEventAt: now });
  }

  #whenOpen(send: () => void): boolean {
    if (this.#socket.connected) {
      send();
      return true;
    }
    if (this.#queue.length >= this.options.queueLimit) return false;
    this.#queue.push(send);
    this.#change({ queued: this.#queue.length });
    return true;
  }

  #unanswered(event: string, error: Error): RunroomError {
    if (!this.#socket.connected) {
      return new RunroomError("offline", `${event}: the connection was lost before the answer`);
    }
    return new RunroomError("timeout", `${event}: ${error.message}`);
  }

  #move(input: ConnectionInput, more: Partial<ConnectionSnapshot> = {}): void {
    const before = this.#snapshot;
    const state = moveConnection(before.state, input);
    const now = Date.now();
    const since = state === before.state ? before.since : now;
    const standing = isOnline(state);
    const lostAt = standing ? null : isOnline(before.state) ? now : before.lostAt;
    this.#change({ ...more, state, since, lostAt });
  }

  #change(more: Partial<ConnectionSnapshot>): void {
    const before = this.#snapshot;
    const changed = Object.entries(more).some(
      ([name, value]) => before[name as keyof ConnectionSnapshot] !== value,
    );
    if (!changed) return;
    this.#snapshot = { ...before, ...more };
    this.#listeners.notify();
  }
}

function watchNetwork(wake: () => void, on: boolean): void {
  if (typeof window === "undefined" || typeof document === "undefined") return;
  const change = on ? "addEventListener" : "removeEventListener";
  window[change]("online", wake);
  document[change]("visibilitychange", wake);
}
