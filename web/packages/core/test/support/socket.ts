import { type Mock, vi } from "vitest";

type Handler = (...args: never[]) => void;

/** What the client sent: an event, its arguments, and the acknowledgement if it waits for one. */
export interface Sent {
  event: string;
  args: unknown[];
  answer: (answer: unknown) => void;
}

/** Stands in for socket.io-client's Socket, with its ways on refusals and losses. */
export class FakeSocket {
  connected = false;
  /** As there: false after a refusal and after `disconnect()`. */
  active = false;
  auth: { token?: string } = {};
  io = { engine: { transport: { name: "websocket" }, once: () => {} } };
  readonly sent: Sent[] = [];
  /** How often a connection was asked for. */
  tries = 0;
  readonly #handlers = new Map<string, Handler[]>();
  readonly #any: Handler[] = [];
  readonly #waiting = new Set<(error: Error) => void>();

  connect(): void {
    if (this.connected) return;
    this.active = true;
    this.tries += 1;
  }

  disconnect(): void {
    this.active = false;
    this.#drop("io client disconnect");
  }

  on(event: string, handler: Handler): void {
    this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), handler]);
  }

  off(event: string, handler: Handler): void {
    const kept = (this.#handlers.get(event) ?? []).filter((each) => each !== handler);
    this.#handlers.set(event, kept);
  }

  onAny(handler: Handler): void {
    this.#any.push(handler);
  }

  emit(event: string, ...args: unknown[]): void {
    this.sent.push({ event, args, answer: () => {} });
  }

  timeout(ms: number) {
    return {
      emit: (event: string, ...all: unknown[]) => {
        const done = all.pop() as (error: Error | null, answer?: unknown) => void;
        const settle = (error: Error | null, answer?: unknown) => {
          if (!this.#waiting.delete(fail)) return;
          clearTimeout(timer);
          done(error, answer);
        };
        const fail = (error: Error) => settle(error);
        const timer = setTimeout(() => fail(new Error("operation has timed out")), ms);
        this.#waiting.add(fail);
        this.sent.push({ event, args: all, answer: (answer) => settle(null, answer) });
      },
    };
  }

  // --- the server's part ---

  accept(): void {
    this.connected = true;
    this.#fire("connect");
  }

  refuse(code: string): void {
    this.active = false;
    this.#fire("connect_error", Object.assign(new Error("unauthorized"), { data: { code } }));
  }

  fail(message = "websocket error"): void {
    this.#fire("connect_error", new Error(message));
  }

  lose(reason = "transport close"): void {
    this.#drop(reason);
  }

  receive(event: string, payload: unknown): void {
    for (const handler of this.#any) handler(...([event, payload] as never[]));
    this.#fire(event, payload);
  }

  /** The last message of this name. */
  last(event: string): Sent {
    const found = this.sent.findLast((sent) => sent.event === event);
    if (found === undefined) throw new Error(`no ${event} was sent`);
    return found;
  }

  all(event: string): Sent[] {
    return this.sent.filter((sent) => sent.event === event);
  }

  #drop(reason: string): void {
    if (!this.connected) return;
    this.connected = false;
    for (const fail of [...this.#waiting]) fail(new Error("socket has been disconnected"));
    this.#fire("disconnect", reason);
  }

  #fire(event: string, ...args: unknown[]): void {
    for (const handler of this.#handlers.get(event) ?? []) handler(...(args as never[]));
  }
}

/** For `vi.mock("socket.io-client", …)`: the sockets that were made, the last one last. */
export function fakeClient(): { io: Mock; sockets: FakeSocket[] } {
  const sockets: FakeSocket[] = [];
  const io = vi.fn(() => {
    const socket = new FakeSocket();
    sockets.push(socket);
    return socket;
  });
  return { io, sockets };
}

/** A JWT, signed by nobody, that ends at this time. */
export function jwt(expiresAt: number, name = "t"): string {
  const part = (value: object) => btoa(JSON.stringify(value)).replace(/=+$/, "");
  return `${part({ alg: "HS256" })}.${part({ exp: expiresAt / 1000, name })}.signature`;
}
