import { RunroomError } from "../contract/errors";
import type { ClientToServerEvents } from "../contract/types";
import type { Connection } from "./connection";
import type { ConnectionSnapshot } from "./options";
import { expiryOf, type Tokens } from "./token";

const TIMER_MAX = 2 ** 31 - 1;
const RETRY_MS = 5_000;

/** What a connection that stands needs: a fresh token in time, and its round trip measured. */
export class Upkeep {
  readonly #connection: Connection<object, ClientToServerEvents>;
  readonly #tokens: Tokens;
  readonly #found: (measured: Partial<ConnectionSnapshot>) => void;
  #refreshTimer: ReturnType<typeof setTimeout> | undefined;
  #pingTimer: ReturnType<typeof setTimeout> | undefined;
  /** Which connection this is about; a loss in between makes it another. */
  #round = 0;

  constructor(
    connection: Connection<object, ClientToServerEvents>,
    tokens: Tokens,
    found: (measured: Partial<ConnectionSnapshot>) => void,
  ) {
    this.#connection = connection;
    this.#tokens = tokens;
    this.#found = found;
  }

  /** The connection stands, with this token. */
  start(token: string | undefined): void {
    this.stop();
    this.#plan(token);
    if (this.#connection.options.pingInterval > 0) void this.#ping();
  }

  stop(): void {
    this.#round += 1;
    clearTimeout(this.#refreshTimer);
    clearTimeout(this.#pingTimer);
  }

  /** Give the server a token that is not `old`. */
  async refresh(old?: string): Promise<void> {
    const round = this.#round;
    try {
      const token = await this.#tokens.renew();
      // the same again: the server ends the connection in time, and the next try asks anew
      if (token === undefined || token === old || round !== this.#round) return;
      await this.#connection.request("refresh", { token });
      if (round === this.#round) this.#plan(token);
    } catch (error) {
      if (round !== this.#round) return;
      const refused = error instanceof RunroomError && !error.transient;
      if (refused) this.#connection.reconnect();
      else this.#refreshTimer = setTimeout(() => void this.refresh(old), RETRY_MS);
    }
  }

  #plan(token: string | undefined): void {
    clearTimeout(this.#refreshTimer);
    const expires = expiryOf(token);
    if (expires === null || !this.#tokens.renewable) return;
    const left = Math.max(0, expires - Date.now());
    const wait = Math.max(left - this.#connection.options.refreshBefore, left / 2);
    this.#refreshTimer = setTimeout(() => void this.refresh(token), Math.min(wait, TIMER_MAX));
  }

  async #ping(): Promise<void> {
    const round = this.#round;
    const asked = Date.now();
    let roundTrip: number | null = null;
    try {
      const { serverTime } = await this.#connection.request("ping", asked);
      roundTrip = Date.now() - asked;
      const clockOffset = Math.round(Date.parse(serverTime) - asked - roundTrip / 2);
      if (round === this.#round) this.#found({ roundTrip, clockOffset });
    } catch {
      if (round === this.#round) this.#found({ roundTrip });
    }
    if (round !== this.#round) return;
    const { pingInterval } = this.#connection.options;
    this.#pingTimer = setTimeout(() => void this.#ping(), pingInterval);
  }
}
