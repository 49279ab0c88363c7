import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Node } from "@xyflow/react";
import { act } from "react";
import { expect, it, vi } from "vitest";
import { ID, SUCCESS, start } from "../../core/test/support/events";
import type { FakeSocket } from "../../core/test/support/socket";
import { Builder } from "./readme/Builder";
import { button, mount, server } from "./support";

const { client } = vi.hoisted(() => ({ client: { current: undefined as never } }));
vi.mock("socket.io-client", async () => {
  const { fakeClient } = await import("../../core/test/support/socket");
  const made = fakeClient();
  client.current = made as never;
  return { io: made.io };
});

const folder = join(import.meta.dirname, "readme");

it.each(["main.tsx", "App.tsx", "Builder.tsx"])(
  "has %s in the README, word for word",
  async (name) => {
    const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
    expect(readme).toContain(await readFile(join(folder, name), "utf8"));
  },
);

it.each(["tsconfig.json", "tsconfig.oldest.json"])(
  "compiles (%s)",
  async (config) => {
    const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
    await promisify(execFile)(process.execPath, [tsc, "-p", join(folder, config)]).catch(
      (error: { stdout: string }) => expect.fail(error.stdout),
    );
  },
  60_000,
);

/** Waits outside of `act`, which would hold back what is waited for. */
async function until(holds: () => void): Promise<void> {
  await vi.waitFor(async () => {
    await act(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
    });
    holds();
  }, 5_000);
}

it("runs", async () => {
  const accepted = { id: ID, executionId: ID, workflowId: "wf_1", status: "pending" };
  vi.stubGlobal("fetch", async (address: string) =>
    Response.json(address.endsWith("/execute") ? accepted : start()),
  );
  const told = vi.spyOn(console, "log").mockImplementation(() => {});
  document.body.innerHTML = '<div id="root"></div>';
  await act(() => import("./readme/main"));
  const socket = (client.current as { sockets: FakeSocket[] }).sockets.at(-1)!;
  await act(async () => button(document.body, "Start").click());
  await until(() => expect(socket.tries).toBe(1));
  act(() => socket.accept());
  await until(() => expect(socket.all("subscribe").length).toBeGreaterThan(0));
  const answer = { ok: true, executionId: ID, head: SUCCESS.length, state: start() };
  for (const { answer: reply } of socket.all("subscribe")) reply(answer);
  await until(() => expect(document.querySelector("[data-testid=node-a]")).not.toBeNull());
  const batch = SUCCESS.map(({ type, ...payload }) => [type, payload]);
  act(() => socket.receive("batch", { executionId: ID, events: batch }));
  await until(() => expect(document.querySelectorAll("[data-testid=log-row]")).toHaveLength(5));
  expect(told).toHaveBeenCalledWith("a: success");
  vi.unstubAllGlobals();
});

it("runs in React Flow", async () => {
  const workflow: Node[] = ["a", "b"].map((id, n) => ({
    id,
    type: "tool",
    position: { x: n * 200, y: 0 },
    data: { label: id },
  }));
  const { runroom, socket } = server(client);
  const { root } = mount(<Builder executionId={ID} workflow={workflow} />, runroom);
  await until(() => expect(socket.tries).toBe(1));
  act(() => socket.accept());
  await until(() => expect(socket.all("subscribe")).toHaveLength(1));
  socket.last("subscribe").answer({ ok: true, executionId: ID, head: 0, state: start() });
  const batch = SUCCESS.slice(0, 8).map(({ type, ...payload }) => [type, payload]);
  act(() => socket.receive("batch", { executionId: ID, events: batch }));
  const status = (id: string) =>
    root.querySelector(`[data-testid=node-${id}]`)?.getAttribute("data-status");
  await until(() => expect([status("a"), status("b")]).toEqual(["completed", "running"]));
  expect(root.querySelector("p")?.textContent).toBe("again");
});
