import { createPinia } from "pinia";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { at, ID, log, numbered, SUCCESS } from "../../core/test/support/events";
import { useExecutionStore, useExecutionWebSocket } from "../src";
import { FAKE, lastSocket, mount, pass, send, serve } from "./support";

const { client } = vi.hoisted(() => ({ client: { current: undefined as never } }));
vi.mock("socket.io-client", async () => {
  const { fakeClient } = await import("../../core/test/support/socket");
  const made = fakeClient();
  client.current = made as never;
  return { io: made.io };
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const LINES = ["hello", "careful", "almost"];

async function used(pinia = createPinia()) {
  const mounted = mount(
    () => ({ ...useExecutionWebSocket(), store: useExecutionStore() }),
    FAKE,
    pinia,
  );
  const socket = lastSocket(client);
  mounted.result.initialize();
  await pass();
  socket.accept();
  await pass();
  return { ...mounted.result, unmount: mounted.unmount, socket, pinia };
}

it("connects when it is told to", async () => {
  const { isConnected, isReconnecting, socket } = await used();
  expect([isConnected.value, isReconnecting.value, socket.tries]).toEqual([true, false, 1]);
  expect(socket.all("subscribe")).toEqual([]);
  socket.lose();
  expect([isConnected.value, isReconnecting.value]).toEqual([false, true]);
});

it("carries an execution over into the store", async () => {
  const { subscribeToExecution, store, socket } = await used();
  subscribeToExecution(ID);
  expect(store.currentExecution).toEqual({ id: ID, status: "pending" });
  await pass();
  await serve(socket, SUCCESS.slice(0, 7));
  expect(store.currentExecution).toMatchObject({
    status: "running",
    workflowId: "wf-1",
    progress: 50,
  });
  expect([...store.realTimeStatus]).toEqual([
    ["a", "completed"],
    ["b", "running"],
  ]);
  send(socket, SUCCESS.slice(7));
  await pass();
  expect(store.currentExecution).toMatchObject({
    status: "completed",
    result: { n: 1 },
    error: null,
  });
  expect(store.logs.map(({ message }) => message)).toEqual(LINES);
  expect(store.logs[1]).toEqual({
    id: "line-careful",
    nodeId: "b",
    level: "warning",
    message: "careful",
    createdAt: new Date(at(0)),
  });
});

it("shows each event once and in order, whatever the connection does", async () => {
  const { subscribeToExecution, store, socket } = await used();
  subscribeToExecution(ID);
  await pass();
  await serve(socket, SUCCESS.slice(0, 5));
  // twice, and one missing
  send(socket, [...SUCCESS.slice(1, 5), ...SUCCESS.slice(6, 8)]);
  await pass();
  expect(socket.last("subscribe").args).toEqual([{ executionId: ID, after: 5, batch: true }]);
  await serve(socket, SUCCESS.slice(5, 8));
  socket.lose();
  await pass(2_000);
  socket.accept();
  await pass();
  expect(socket.last("subscribe").args).toEqual([{ executionId: ID, after: 8, batch: true }]);
  await serve(socket, SUCCESS.slice(8));
  expect(store.logs.map(({ message }) => message)).toEqual(LINES);
  expect(store.currentExecution?.status).toBe("completed");
});

it("shows what the server refuses", async () => {
  const { subscribeToExecution, store, socket } = await used();
  subscribeToExecution("nobody");
  await pass();
  const error = { code: "not_found", message: "no such execution" };
  socket.last("subscribe").answer({ ok: false, error });
  await pass();
  expect(store.currentExecution).toMatchObject({ id: "nobody", error: "no such execution" });
});

it("unsubscribes, and lets the connection go with the component", async () => {
  const { subscribeToExecution, unsubscribeFromExecution, store, socket, unmount } = await used();
  subscribeToExecution(ID);
  subscribeToExecution(ID);
  await pass();
  await serve(socket, SUCCESS.slice(0, 5));
  unsubscribeFromExecution(ID);
  await pass(1_500);
  expect(socket.last("unsubscribe").args).toEqual([ID]);
  send(socket, SUCCESS.slice(5));
  await pass();
  expect(store.currentExecution?.status).toBe("running");
  expect(socket.connected).toBe(true);
  unmount();
  await pass(1_500);
  expect(socket.connected).toBe(false);
});

it("cleans up without unmounting, and may be initialized again", async () => {
  const { subscribeToExecution, cleanup, initialize, socket } = await used();
  subscribeToExecution(ID);
  cleanup();
  await pass(1_500);
  expect([socket.connected, socket.all("unsubscribe").length]).toEqual([false, 1]);
  initialize();
  await pass();
  expect(socket.tries).toBe(2);
});

it("follows several, and shows the one that is current", async () => {
  const { subscribeToExecution, store, socket } = await used();
  subscribeToExecution("one");
  await pass();
  await serve(socket, SUCCESS.slice(0, 7), "one");
  subscribeToExecution("two");
  await pass();
  await serve(socket, SUCCESS.slice(0, 3), "two");
  expect(store.logs.map(({ message }) => message)).toEqual(["hello"]);
  send(socket, SUCCESS.slice(7), "one");
  await pass();
  expect(store.executionHistory).toMatchObject([{ id: "one", status: "completed" }]);
  expect(store.logs).toHaveLength(1);
  store.setCurrentExecution(store.executionHistory[0]!);
  expect(store.logs.map(({ message }) => message)).toEqual(LINES);
  expect(store.realTimeStatus.get("b")).toBe("completed");
});

it("carries each line over once, however many components look", async () => {
  const { result, unmount } = mount(
    () => ({
      one: useExecutionWebSocket(),
      two: useExecutionWebSocket(),
      store: useExecutionStore(),
    }),
    FAKE,
  );
  const { one, two, store } = result;
  const socket = lastSocket(client);
  one.subscribeToExecution(ID);
  await pass();
  socket.accept();
  await pass();
  await serve(socket, SUCCESS.slice(0, 7));
  two.subscribeToExecution(ID);
  one.cleanup();
  await pass(1_500);
  send(socket, SUCCESS.slice(7));
  await pass();
  expect(store.logs.map(({ message }) => message)).toEqual(LINES);
  expect([socket.all("subscribe").length, socket.all("unsubscribe").length]).toEqual([1, 0]);
  unmount();
  await pass(1_500);
  expect(socket.connected).toBe(false);
});

it("shows what was followed before, once more, when it is followed again", async () => {
  const { subscribeToExecution, cleanup, store, socket } = await used();
  subscribeToExecution(ID);
  await pass();
  await serve(socket, SUCCESS);
  cleanup();
  await pass(1_500);
  subscribeToExecution(ID);
  await pass();
  socket.accept();
  await pass();
  await serve(socket, SUCCESS);
  expect(store.logs.map(({ message }) => message)).toEqual(LINES);
  expect(store.executionHistory).toEqual([]);
});

it("clears, and does not bring back what was cleared", async () => {
  const { subscribeToExecution, store, socket } = await used();
  subscribeToExecution(ID);
  await pass();
  await serve(socket, SUCCESS.slice(0, 7));
  store.clearLogs();
  send(socket, SUCCESS.slice(7));
  await pass();
  expect(store.logs.map(({ message }) => message)).toEqual(["almost"]);
});

it("begins anew when the server does", async () => {
  const { subscribeToExecution, store, socket } = await used();
  subscribeToExecution(ID);
  await pass();
  await serve(socket, SUCCESS.slice(0, 7));
  socket.receive("reset", { executionId: ID, reason: "ahead", head: 3 });
  send(socket, numbered([{ type: "status", status: "running" }, log("other")]));
  await pass();
  expect(store.logs.map(({ message }) => message)).toEqual(["other"]);
});
