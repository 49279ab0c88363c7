import { Runroom, type RunroomOptions, type Watchable } from "@runroom/core";
import { type InjectionKey, inject, type Plugin } from "vue";

/** How often and how long the composables try again: five times, after 1 s to 5 s. */
export const RECONNECTION = { attempts: 5, delay: 1_000, delayMax: 5_000 } as const;

export type RunroomPluginOptions = RunroomOptions & {
  /** Something else that runs executions, such as core's `Simulator`. */
  client?: Watchable;
};

export type RunroomPlugin = Plugin<[]> & { readonly client: Watchable };

const KEY: InjectionKey<Watchable> = Symbol("runroom");
let active: Watchable | undefined;

/** For `app.use(…)`: the one client that all of an app's composables share. */
export function createRunroom(options: RunroomPluginOptions = {}): RunroomPlugin {
  const client = options.client ?? connected(options);
  return {
    client,
    install(app) {
      setActiveRunroom(client);
      app.provide(KEY, client);
    },
  };
}

/** The app's client; without the plugin one at the default address, made when it is first asked for. */
export function useRunroom(): Watchable {
  return inject(KEY, activeRunroom, true);
}

/** The client outside of components, as Pinia's `getActivePinia`: the one installed last. */
export function activeRunroom(): Watchable {
  active ??= connected({});
  return active;
}

export function setActiveRunroom(client: Watchable | undefined): void {
  active = client;
}

function connected(options: RunroomOptions): Runroom {
  return new Runroom({ ...options, connection: { ...RECONNECTION, ...options.connection } });
}
