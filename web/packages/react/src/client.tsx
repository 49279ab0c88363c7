import { Runroom, type Watchable } from "@runroom/core";
import { createContext, type ReactNode, useContext } from "react";

const Context = createContext<Watchable | null>(null);

export interface RunroomProviderProps {
  /** A `Runroom`, or core's `Simulator` for work without a server. */
  client: Watchable;
  children?: ReactNode;
}

/** The client that all hooks and components below share. */
export function RunroomProvider({ client, children }: RunroomProviderProps) {
  return <Context.Provider value={client}>{children}</Context.Provider>;
}

/** The provider's client; without one, or for another `backendUrl`, one a server, made when asked for. */
export function useRunroom(backendUrl?: string): Watchable {
  const provided = useContext(Context);
  if (provided !== null && !isElsewhere(provided, backendUrl)) return provided;
  return runroomAt(backendUrl);
}

const pool = new Map<string, Runroom>();

/** Holds no connection until somebody watches. */
function runroomAt(url = ""): Runroom {
  const found = pool.get(url) ?? new Runroom(url ? { url } : {});
  pool.set(url, found);
  return found;
}

function isElsewhere(client: Watchable, url: string | undefined): boolean {
  return Boolean(url) && client instanceof Runroom && client.api.url !== url?.replace(/\/+$/, "");
}
