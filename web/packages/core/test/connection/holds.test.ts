import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Runroom } from "../../src";
import type { FakeSocket } from "../support/socket";

const { client } = vi.hoisted(() => ({ client: { current: undefined as never } }));
vi.mock("socket.io-client", async () => {
  const { fakeClient } = await import("../support/socket");
  const made = fakeClient();
  client.current = made as never;
  return { io: made.io };
});

function made(options = {}) {
  const runroom = new Runroom({
    url: "http://server",
    connection: { pingInterval: 0 },
    ...options,
  });
  const sockets = (client.current as { sockets: FakeSocket[] }).sockets;
  return {
    runroom,
    sockets,
    socket: sockets.at(-1)!,
    state: () => runroom.connection.getSnapshot().state,
  };
}

const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("ends what the first opened, a little after the last is gone", async () => {
  const { runroom, socket, state } = made();
  const [one, two] = [runroom.hold(), runroom.watch("exec-1")];
  await settle();
  socket.accept();
  one();
  one();
  await settle(5_000);
  expect(state()).toBe("catching-up");
  two.release();
  await settle(999);
  expect(state()).not.toBe("disconnected");
  const again = runroom.hold();
  await settle(5_000);
  expect(state()).toBe("connected");
  // the watch, which was not taken up again, was unsubscribed
  expect(socket.last("unsubscribe").args).toEqual(["exec-1"]);
  again();
  await settle(1_000);
  expect(state()).toBe("disconnected");
  expect(socket.tries).toBe(1);
  runroom.watch("exec-1");
  await settle();
  expect([state(), socket.tries]).toEqual(["connecting", 2]);
});

it("leaves alone what was opened by hand", async () => {
  const { runroom, socket, state } = made();
  runroom.connection.connect();
  await settle();
  socket.accept();
  runroom.watch("exec-1").release();
  await settle(60_000);
  expect(state()).toBe("connected");
});

it("does not connect without being asked if so told", async () => {
  const { runroom, state } = made({ autoConnect: false });
  runroom.watch("exec-1");
  await settle();
  expect(state()).toBe("disconnected");
});

it("opens another namespace with the same token", async () => {
  const { runroom, sockets, socket } = made({ token: () => "t.o.k" });
  const other = runroom.socket<object, object>({ namespace: "/other", pingInterval: 0 });
  other.connect();
  await settle();
  expect(sockets.at(-1)).not.toBe(socket);
  expect(sockets.at(-1)!.auth).toEqual({ token: "t.o.k" });
  expect(other.options).toMatchObject({ url: "http://server", namespace: "/other" });
  expect(socket.tries).toBe(0);
});
