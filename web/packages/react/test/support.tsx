import { type Event, Runroom, type Watchable } from "@runroom/core";
import { act, type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { vi } from "vitest";
import { ID, payload, start } from "../../core/test/support/events";
import type { FakeSocket } from "../../core/test/support/socket";
import { RunroomProvider } from "../src";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

export interface Mounted {
  root: HTMLElement;
  show(children: ReactNode): void;
  unmount(): void;
}

/** In strict mode: every effect runs, ends and runs again. */
export function mount(children: ReactNode, client?: Watchable): Mounted {
  const element = document.createElement("div");
  document.body.append(element);
  const root = createRoot(element);
  const show = (shown: ReactNode) =>
    act(() =>
      root.render(
        <StrictMode>
          {client ? <RunroomProvider client={client}>{shown}</RunroomProvider> : shown}
        </StrictMode>,
      ),
    );
  show(children);
  const unmount = () => {
    act(() => root.unmount());
    element.remove();
  };
  return { root: element, show, unmount };
}

/** A component that calls the hook; `seen` has what it returned, last one last. */
export function hook<T>(use: () => T, client?: Watchable) {
  const seen: T[] = [];
  function Probe() {
    seen.push(use());
    return null;
  }
  const mounted = mount(<Probe />, client);
  return { ...mounted, seen, now: () => seen.at(-1)!, again: () => mounted.show(<Probe />) };
}

/**
 * A client with a fake socket, for the box that a hoisted `vi.mock("socket.io-client", …)` fills;
 * by HTTP it gets this answer.
 */
export function server(client: { current: unknown }, answer: object = start()) {
  const fetch = vi.fn(async () => Response.json(answer));
  const runroom = new Runroom({
    url: "http://server",
    connection: { pingInterval: 0 },
    fetch: fetch as never,
  });
  const socket = (client.current as { sockets: FakeSocket[] }).sockets.at(-1)!;
  return { runroom, socket, fetch };
}

/** Time passes, frames are drawn, and what follows from it is shown. */
export const pass = (ms = 20): Promise<void> =>
  act(async () => {
    await vi.advanceTimersByTimeAsync(ms);
  });

export async function accept(socket: FakeSocket): Promise<void> {
  await pass();
  act(() => socket.accept());
  await pass();
}

/** The server's answer to a subscribe, and these events after it. */
export async function serve(socket: FakeSocket, events: Event[], id = ID): Promise<void> {
  const head = events.at(-1)?.seq ?? 0;
  const state = { ...start(), executionId: id };
  socket.last("subscribe").answer({ ok: true, executionId: id, head, state });
  await pass(0);
  await send(socket, events, id);
}

/** Events as a batch brings them, and the frame after it. */
export async function send(socket: FakeSocket, events: Event[], id = ID): Promise<void> {
  const batch = events.map((event) => [event.type, { ...payload(event), executionId: id }]);
  act(() => socket.receive("batch", { executionId: id, events: batch }));
  await pass();
}

export const button = (root: HTMLElement, name: string): HTMLButtonElement =>
  [...root.querySelectorAll("button")].find((each) => each.textContent === name)!;

export const click = (element: HTMLElement): Promise<void> => act(async () => element.click());

export const text = (root: HTMLElement, selector: string): string | null | undefined =>
  root.querySelector(selector)?.textContent;
