import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, vi } from "vitest";
import { ID, SUCCESS } from "../../core/test/support/events";
import { lastSocket, send } from "./support";

const { client } = vi.hoisted(() => ({ client: { current: undefined as never } }));
vi.mock("socket.io-client", async () => {
  const { fakeClient } = await import("../../core/test/support/socket");
  const made = fakeClient();
  client.current = made as never;
  return { io: made.io };
});

const folder = join(import.meta.dirname, "readme");

it.each(["main.ts", "App.vue"])("has %s in the README, word for word", async (name) => {
  const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
  expect(readme).toContain(await readFile(join(folder, name), "utf8"));
});

it.each(["tsconfig.json", "tsconfig.oldest.json"])(
  "compiles (%s)",
  async (config) => {
    const tsc = createRequire(import.meta.url).resolve("vue-tsc/bin/vue-tsc.js");
    await promisify(execFile)(process.execPath, [tsc, "-p", join(folder, config)]).catch(
      (error: { stdout: string }) => expect.fail(error.stdout),
    );
  },
  60_000,
);

it("runs", async () => {
  const accepted = { id: ID, executionId: ID, workflowId: "wf_1", status: "pending" };
  vi.stubGlobal("fetch", async () => Response.json(accepted));
  document.body.innerHTML = '<div id="app"></div>';
  await import("./readme/main");
  const socket = lastSocket(client);
  const start = document.querySelector("button")!;
  expect(start.disabled).toBe(true);
  await vi.waitFor(() => expect(socket.tries).toBe(1));
  socket.accept();
  await vi.waitFor(() => expect(start.disabled).toBe(false));
  start.click();
  await vi.waitFor(() => expect(socket.all("subscribe")).toHaveLength(1));
  const { start: state } = await import("../../core/test/support/events");
  socket.last("subscribe").answer({ ok: true, executionId: ID, head: 13, state: state() });
  await Promise.resolve();
  send(socket, SUCCESS);
  await vi.waitFor(() => expect(document.body.textContent).toContain("✓completed"));
  expect(document.querySelectorAll(".rr-log-row")).toHaveLength(3);
  vi.unstubAllGlobals();
});
