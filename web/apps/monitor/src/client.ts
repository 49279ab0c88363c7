import { type ConnectionSnapshot, Runroom } from "@runroom/core";
import {
  type App,
  type InjectionKey,
  inject,
  onScopeDispose,
  type ShallowRef,
  shallowRef,
} from "vue";

/**
 * The one client of the page, and its token: from `#token=…` once, then kept for this tab. Without
 * one the server decides whether anonymous callers may do anything.
 */
export interface Client {
  readonly runroom: Runroom;
  /** Whether a token is kept. */
  readonly hasToken: Readonly<ShallowRef<boolean>>;
  /** Another token, or none; connects anew with it. */
  setToken(token: string | null): void;
}

const CLIENT: InjectionKey<Client> = Symbol("client");
const KEY = "runroom.token";

export function createClient(runroom?: Runroom): Client {
  takeTokenFromAddress();
  const client = runroom ?? new Runroom({ url: import.meta.env.VITE_WS_URL || location.origin });
  const kept = keptToken();
  const hasToken = shallowRef(kept !== null);
  if (kept !== null) client.setToken(kept);
  client.connection.connect();
  return {
    runroom: client,
    hasToken,
    setToken(token) {
      if (token === null) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, token);
      hasToken.value = token !== null;
      client.setToken(token);
      client.connection.reconnect();
    },
  };
}

export function provideClient(app: App, client: Client): void {
  app.provide(CLIENT, client);
}

export function useClient(): Client {
  const client = inject(CLIENT);
  if (client === undefined) throw new Error("no client was provided");
  return client;
}

export function useRunroom(): Runroom {
  return useClient().runroom;
}

/** The connection as it is, for as long as the caller's scope lives. */
export function useConnection(): Readonly<ShallowRef<ConnectionSnapshot>> {
  const { connection } = useRunroom();
  const snapshot = shallowRef(connection.getSnapshot());
  onScopeDispose(
    connection.subscribe(() => {
      snapshot.value = connection.getSnapshot();
    }),
  );
  return snapshot;
}

/** A token in the address would be copied with every link, and kept in the history. */
function takeTokenFromAddress(): void {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get("token");
  if (token === null) return;
  given.delete("token");
  const rest = given.toString();
  const address = location.pathname + location.search + (rest && `#${rest}`);
  history.replaceState(history.state, "", address);
  if (token) sessionStorage.setItem(KEY, token);
}

function keptToken(): string | null {
  return sessionStorage.getItem(KEY);
}
