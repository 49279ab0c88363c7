/** A token, or where to get one: called again when the last one is about to end. */
export type TokenSource =
  | string
  | null
  | undefined
  | (() => string | null | undefined | Promise<string | null | undefined>);

/** A token that ends sooner than this is not used for a new request. */
const MARGIN_MS = 30_000;

/** The token of the moment, asked for once however many need it. */
export class Tokens {
  #source: TokenSource;
  #current: string | undefined;
  #asking: Promise<string | undefined> | undefined;

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /** There is somebody to ask for another one. */
  get renewable(): boolean {
    return typeof this.#source === "function";
  }

  set(source: TokenSource): void {
    this.#source = source;
    this.#current = this.#asking = undefined;
  }

  /** The server says that the last one has ended, whatever our clock says. */
  stale(): void {
    this.#current = undefined;
  }

  /** @throws whatever the source throws. */
  async get(): Promise<string | undefined> {
    if (typeof this.#source !== "function") return this.#source ?? undefined;
    const expires = expiryOf(this.#current);
    if (expires !== null && expires - Date.now() > MARGIN_MS) return this.#current;
    return this.renew();
  }

  /** A token that is not the one before. */
  async renew(): Promise<string | undefined> {
    const source = this.#source;
    if (typeof source !== "function") return source ?? undefined;
    this.#asking ??= (async () => (await source()) ?? undefined)().finally(() => {
      this.#asking = undefined;
    });
    const token = await this.#asking;
    if (source === this.#source) this.#current = token;
    return token;
  }
}

/** When a JWT ends, in epoch ms; null if it does not say. It is read, not verified. */
export function expiryOf(token: string | undefined): number | null {
  const payload = token?.split(".")[1];
  if (payload === undefined) return null;
  try {
    const { exp } = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
    return typeof exp === "number" ? exp * 1000 : null;
  } catch {
    return null;
  }
}
