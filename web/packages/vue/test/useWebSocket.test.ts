import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useWebSocket } from "../src";
import { FAKE, lastSocket, mount, pass } from "./support";

const { client } = vi.hoisted(() => ({ client: { current: undefined as never } }));
vi.mock("socket.io-client", async () => {
  const { fakeClient } = await import("../../core/test/support/socket");
  const made = fakeClient();
  client.current = made as never;
  return { io: made.io };
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function use(options = FAKE) {
  const mounted = mount(() => useWebSocket("/namespace"), options);
  return { ...mounted, ...mounted.result, socket: lastSocket(client) };
}

async function connected() {
  const used = use();
  used.connect();
  await pass();
  used.socket.accept();
  return used;
}

it("connects to the namespace of the app's server, with its token", async () => {
  const { connect, isConnected, isReconnecting, socket } = use({ ...FAKE, token: "t.o.k" });
  const { io } = client.current as { io: ReturnType<typeof vi.fn> };
  expect(io.mock.lastCall?.[0]).toBe("http://server/namespace");
  expect(io.mock.lastCall?.[1]).toMatchObject({ transports: ["websocket", "polling"] });
  expect(socket.tries).toBe(0);
  connect();
  await pass();
  expect(socket.auth).toEqual({ token: "t.o.k" });
  expect([isConnected.value, isReconnecting.value]).toEqual([false, false]);
  socket.accept();
  expect([isConnected.value, isReconnecting.value]).toEqual([true, false]);
});

it("emits and listens", async () => {
  const { on, off, emit, socket } = await connected();
  const heard: unknown[] = [];
  const undo = on("event", (data) => heard.push(data));
  on("event", (data) => heard.push(["too", data]));
  socket.receive("event", { data: 1 });
  undo();
  socket.receive("event", { data: 2 });
  off("event");
  socket.receive("event", { data: 3 });
  expect(heard).toEqual([{ data: 1 }, ["too", { data: 1 }], ["too", { data: 2 }]]);
  emit("event", { data: "value" });
  expect(socket.last("event").args).toEqual([{ data: "value" }]);
});

it("keeps what is emitted while there is no connection, in order", async () => {
  const { connect, emit, socket } = use();
  expect(emit("one", 1)).toBe(true);
  emit("two", 2);
  connect();
  await pass();
  expect(socket.sent).toEqual([]);
  socket.accept();
  expect(socket.sent.map(({ event }) => event)).toEqual(["one", "two"]);
});

it("tries five times, 1 s to 5 s apart, and says what fails", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  const { isReconnecting, isConnected, connection, connect, socket } = await connected();
  const waits: number[] = [];
  socket.lose();
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    expect(isReconnecting.value).toBe(true);
    const wait = connection.value.retryAt! - Date.now();
    waits.push(wait);
    await pass(wait);
    expect(socket.tries).toBe(1 + attempt);
    socket.fail("websocket error");
  }
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(1_000);
  expect(Math.max(...waits)).toBeLessThanOrEqual(5_000);
  expect(waits[4]).toBe(5_000);
  expect([isReconnecting.value, isConnected.value]).toEqual([false, false]);
  expect(warn).toHaveBeenCalledTimes(5);
  expect(error).toHaveBeenCalledTimes(1);
  expect(error.mock.lastCall?.[0]).toContain("gave up after 5 tries");
  await pass(60_000);
  expect(socket.tries).toBe(6);
  connect();
  await pass();
  expect(socket.tries).toBe(7);
});

it.each(["io server disconnect", "ping timeout", "transport close"])(
  "comes back after %s",
  async (reason) => {
    const { isReconnecting, isConnected, socket } = await connected();
    socket.lose(reason);
    expect(isReconnecting.value).toBe(true);
    await pass(2_000);
    socket.accept();
    expect(isConnected.value).toBe(true);
  },
);

it("does not come back after disconnect, nor after the component has gone", async () => {
  const one = await connected();
  one.disconnect();
  await pass(60_000);
  expect(one.socket.tries).toBe(1);
  expect(one.isConnected.value).toBe(false);
  const two = await connected();
  two.unmount();
  expect(two.socket.connected).toBe(false);
  await pass(60_000);
  expect(two.socket.tries).toBe(1);
});
