import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Connection, Subscriptions } from "../../src";
import type { Sink } from "../../src/execution/source";
import { ID, payload, SUCCESS, start } from "../support/events";
import type { FakeSocket } from "../support/socket";

const { client } = vi.hoisted(() => ({ client: { current: undefined as never } }));
vi.mock("socket.io-client", async () => {
  const { fakeClient } = await import("../support/socket");
  const made = fakeClient();
  client.current = made as never;
  return { io: made.io };
});

function sink() {
  const calls: unknown[][] = [];
  const note =
    (name: string) =>
    (...args: unknown[]) =>
      void calls.push([name, ...args]);
  const made = Object.fromEntries(
    ["started", "event", "reset", "presence", "executor", "failed"].map((n) => [n, note(n)]),
  );
  return { calls, sink: made as unknown as Sink, names: () => calls.map(([name]) => name) };
}

async function made() {
  const connection = new Connection({ url: "http://server", pingInterval: 0 });
  const socket = (client.current as { sockets: FakeSocket[] }).sockets.at(-1)!;
  const subscriptions = new Subscriptions(connection);
  connection.connect();
  await settle();
  return { connection, socket, subscriptions };
}

const settle = () => vi.advanceTimersByTimeAsync(0);
const answer = { ok: true, executionId: ID, head: 13, state: start() };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("subscribes when there is a connection, in batches, and shows that it is catching up", async () => {
  const { connection, socket, subscriptions } = await made();
  const { sink: one, names, calls } = sink();
  subscriptions.open(ID, one, 0);
  expect(socket.sent).toEqual([]);
  socket.accept();
  expect(socket.last("subscribe").args).toEqual([{ executionId: ID, after: 0, batch: true }]);
  expect(connection.getSnapshot().state).toBe("catching-up");
  socket.last("subscribe").answer(answer);
  await settle();
  expect(calls).toEqual([["started", start(), 13]]);
  const batch = SUCCESS.slice(0, 10).map((event) => [event.type, payload(event)]);
  socket.receive("batch", { executionId: ID, events: batch });
  expect(connection.getSnapshot().state).toBe("catching-up");
  for (const event of SUCCESS.slice(10)) socket.receive(event.type, payload(event));
  expect(connection.getSnapshot().state).toBe("connected");
  expect(names().slice(1)).toEqual(SUCCESS.map(() => "event"));
  expect(calls.slice(1).map(([, event]) => event)).toEqual(SUCCESS);
});

it("subscribes all again after a loss, each from where it was", async () => {
  const { socket, subscriptions } = await made();
  socket.accept();
  subscriptions.open(ID, sink().sink, 4);
  subscriptions.open("other", sink().sink, 0);
  socket.all("subscribe")[0]!.answer(answer);
  await settle();
  socket.receive(SUCCESS[4]!.type, payload(SUCCESS[4]!));
  socket.lose();
  await vi.advanceTimersByTimeAsync(2_000);
  socket.accept();
  const asked = socket.all("subscribe").slice(2);
  expect(asked.map(({ args }) => args[0])).toEqual([
    { executionId: ID, after: 5, batch: true },
    { executionId: "other", after: 0, batch: true },
  ]);
});

it("hands each its own, and takes a refusal without a seq for no event", async () => {
  const { socket, subscriptions } = await made();
  socket.accept();
  const [one, other] = [sink(), sink()];
  subscriptions.open(ID, one.sink, 0);
  subscriptions.open("other", other.sink, 0);
  socket.receive("presence", { executionId: ID, count: 1, viewers: [] });
  socket.receive("executor", { executionId: "other", executorId: "e", state: "lost" });
  socket.receive("error", { executionId: ID, error: "refused", code: "not_found" });
  socket.receive("status", { ...payload(SUCCESS[0]!), executionId: "nobody's" });
  socket.receive("reset", { executionId: ID, reason: "deleted", head: null });
  expect([one.names(), other.names()]).toEqual([["presence", "reset"], ["executor"]]);
});

it("unsubscribes, and has one stream an execution", async () => {
  const { connection, socket, subscriptions } = await made();
  socket.accept();
  const stream = subscriptions.open(ID, sink().sink, 0);
  expect(() => subscriptions.open(ID, sink().sink, 0)).toThrow("subscribed already");
  stream.close();
  expect(socket.last("unsubscribe").args).toEqual([ID]);
  expect(connection.getSnapshot().state).toBe("connected");
  subscriptions.open(ID, sink().sink, 0);
  expect(subscriptions.size).toBe(1);
  subscriptions.close();
  expect([subscriptions.size, socket.all("unsubscribe").length]).toEqual([0, 2]);
});
