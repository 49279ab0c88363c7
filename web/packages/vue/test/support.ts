import type { Event } from "@runroom/core";
import { createPinia, type Pinia } from "pinia";
import { vi } from "vitest";
import { type App, createApp, defineComponent, h, nextTick, type VNode } from "vue";
import { ID, payload, start } from "../../core/test/support/events";
import type { FakeSocket } from "../../core/test/support/socket";
import { createRunroom, type RunroomPluginOptions } from "../src";

export interface Mounted<T> {
  result: T;
  app: App;
  root: HTMLElement;
  unmount(): void;
}

/** An app with the plugin, whose one component runs `setup` and shows what it returns, if a VNode. */
export function mount<T>(
  setup: () => T,
  options: RunroomPluginOptions,
  pinia: Pinia = createPinia(),
): Mounted<T> {
  let result!: T;
  const root = document.createElement("div");
  document.body.append(root);
  const component = defineComponent({
    setup() {
      result = setup();
      return () => (typeof result === "function" ? (result as () => VNode)() : h("i"));
    },
  });
  const app = createApp(component);
  app.use(pinia).use(createRunroom(options)).mount(root);
  const unmount = () => {
    app.unmount();
    root.remove();
  };
  return { result, app, root, unmount };
}

/** Options of a client whose sockets are core's fake ones. */
export const FAKE: RunroomPluginOptions = {
  url: "http://server",
  connection: { pingInterval: 0 },
};

/** For the box that a hoisted `vi.mock("socket.io-client", …)` fills. */
export const lastSocket = (client: { current: unknown }): FakeSocket =>
  (client.current as { sockets: FakeSocket[] }).sockets.at(-1)!;

/** Time passes, frames are drawn, and what follows from it is shown. */
export async function pass(ms = 20): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await nextTick();
}

/** The server's answer to a subscribe, and these events after it. */
export async function serve(socket: FakeSocket, events: Event[], id = ID): Promise<void> {
  const head = events.at(-1)?.seq ?? 0;
  const state = { ...start(), executionId: id };
  socket.last("subscribe").answer({ ok: true, executionId: id, head, state });
  await pass(0);
  send(socket, events, id);
  await pass();
}

/** Events as a batch brings them. */
export function send(socket: FakeSocket, events: Event[], id = ID): void {
  const batch = events.map((event) => [event.type, { ...payload(event), executionId: id }]);
  socket.receive("batch", { executionId: id, events: batch });
}
