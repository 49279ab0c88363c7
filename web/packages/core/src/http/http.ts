import { type TokenSource, Tokens } from "../connection/token";
import { RunroomError } from "../contract/errors";
import { serverUrl } from "./address";

export interface HttpOptions {
  url?: string | undefined;
  token?: TokenSource | Tokens;
  fetch?: typeof fetch;
}

type Query = Record<string, string | number | readonly string[] | undefined>;

interface Call {
  query?: Query;
  body?: unknown;
  accept?: string;
  idempotencyKey?: string | undefined;
  /** Without the token. */
  anonymous?: boolean;
}

/** JSON over HTTP, with the token, and with refusals as `RunroomError`s. */
export class Http {
  readonly url: string;
  readonly #tokens: Tokens;
  readonly #fetch: typeof fetch;

  constructor({ url, token, fetch: given }: HttpOptions = {}) {
    this.url = serverUrl(url);
    this.#tokens = token instanceof Tokens ? token : new Tokens(token);
    // bound when it is called: browsers refuse a fetch without its window
    this.#fetch = given ?? ((...args) => globalThis.fetch(...args));
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#json("GET", path, { query });
  }

  post<T>(path: string, body: unknown = {}, call: Call = {}): Promise<T> {
    return this.#json("POST", path, { ...call, body });
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.#json("PUT", path, { body });
  }

  async remove(path: string): Promise<void> {
    await this.#send("DELETE", path, {});
  }

  async blob(path: string, query: Query, accept: string): Promise<Blob> {
    return await (await this.#send("GET", path, { query, accept })).blob();
  }

  async #json<T>(method: string, path: string, call: Call): Promise<T> {
    const answer = await this.#send(method, path, call);
    try {
      return (await answer.json()) as T;
    } catch (cause) {
      throw new RunroomError("unreachable", "the server's answer broke off", { cause });
    }
  }

  async #send(method: string, path: string, call: Call, again = false): Promise<Response> {
    const token = call.anonymous ? undefined : await this.#tokens.get();
    const headers: Record<string, string> = { Accept: call.accept ?? "application/json" };
    if (token !== undefined) headers.Authorization = `Bearer ${token}`;
    if (call.body !== undefined) headers["Content-Type"] = "application/json";
    if (call.idempotencyKey) headers["Idempotency-Key"] = call.idempotencyKey;
    const body = call.body === undefined ? null : JSON.stringify(call.body);
    const address = this.url + path + search(call.query);
    let answer: Response;
    try {
      answer = await this.#fetch(address, { method, headers, body, cache: "no-store" });
    } catch (cause) {
      const message = "the server cannot be reached";
      throw new RunroomError("unreachable", message, { cause });
    }
    if (answer.ok) return answer;
    const error = await refusal(answer);
    if (error.code === "token_expired" && this.#tokens.renewable && !again) {
      this.#tokens.stale();
      return this.#send(method, path, call, true);
    }
    throw error;
  }
}

function search(query: Query = {}): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value.toString() !== "") found.set(name, value.toString());
  }
  return found.size === 0 ? "" : `?${found}`;
}

async function refusal(answer: Response): Promise<RunroomError> {
  const { status } = answer;
  try {
    const { error } = (await answer.json()) as { error: unknown };
    return RunroomError.from(error, status);
  } catch {
    // a proxy in between, which knows nothing of our form
    const code = status >= 502 && status <= 504 ? "unreachable" : "invalid";
    return new RunroomError(code, `the server answered ${status}`, { status });
  }
}
