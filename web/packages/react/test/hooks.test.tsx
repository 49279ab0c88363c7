import type { Runroom } from "@runroom/core";
import { act, useState, version } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { at, ID, log, node, numbered, SUCCESS, status } from "../../core/test/support/events";
import {
  type ExecutionLog,
  useExecution,
  useRunroom,
  useWebSocketLogs,
  useWorkflowExecution,
} from "../src";
import { accept, hook, mount, pass, send, serve, server } from "./support";

const { client } = vi.hoisted(() => ({ client: { current: undefined as never } }));
vi.mock("socket.io-client", async () => {
  const { fakeClient } = await import("../../core/test/support/socket");
  const made = fakeClient();
  client.current = made as never;
  return { io: made.io };
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const NODES = ["a", "b", "other"].map((id) => ({ id, data: { label: id } as object }));
const messages = (logs: readonly ExecutionLog[]) => logs.map(({ message }) => message);

it("runs with the version that it says", () => {
  expect(version.startsWith(process.env.EXPECTED_VERSION!)).toBe(true);
});

it("subscribes once though effects run twice, and lets go with the last component", async () => {
  const { runroom, socket } = server(client);
  const one = hook(() => useExecution(ID), runroom);
  const two = hook(() => useExecution(ID), runroom);
  await accept(socket);
  await serve(socket, SUCCESS);
  expect([socket.tries, socket.all("subscribe").length]).toEqual([1, 1]);
  expect(one.now()).toBe(two.now());
  expect(one.now()).toMatchObject({ phase: "ended", progress: 100 });
  one.unmount();
  await pass(2_000);
  expect(socket.connected).toBe(true);
  two.unmount();
  await pass(2_000);
  expect(socket.last("unsubscribe").args).toEqual([ID]);
  expect(socket.connected).toBe(false);
});

it("needs no provider, and has one client a server", async () => {
  const urls = hook(() => [
    useRunroom(),
    useRunroom("http://else:1"),
    useRunroom("http://else:1/"),
  ]);
  const [first, second, third] = urls.now() as Runroom[];
  expect(first!.api.url).toBe("http://localhost:3001");
  expect(second!.api.url).toBe("http://else:1");
  expect(urls.seen.every((clients) => clients[1] === second)).toBe(true);
  expect(third!.api.url).toBe(second!.api.url);
  expect((client.current as { sockets: { tries: number }[] }).sockets.at(-1)!.tries).toBe(0);
});

function workflow(executionId: string | null = ID) {
  const { runroom, socket } = server(client);
  let changes = 0;
  const probe = hook(() => {
    const [nodes, setNodes] = useState(NODES);
    const counted: typeof setNodes = (update) => {
      changes += 1;
      setNodes(update);
    };
    return { nodes, setNodes, ...useWorkflowExecution(executionId, nodes, counted) };
  }, runroom);
  const data = (id: string) =>
    probe.now().nodes.find((each) => each.id === id)!.data as Record<string, unknown>;
  return { ...probe, socket, data, changes: () => changes };
}

it("writes the nodes' statuses into the caller's nodes", async () => {
  const { now, data, socket, changes } = workflow();
  expect(now()).toMatchObject({ isConnected: false, lastMessage: null, error: null });
  await accept(socket);
  await serve(socket, SUCCESS.slice(0, 2));
  expect(now().isConnected).toBe(true);
  expect(data("a")).toMatchObject({ label: "a", status: "running" });
  expect(data("b")).toMatchObject({ status: "pending" });
  expect(now().nodes[2]).toBe(NODES[2]);
  const b = now().nodes[1];
  await send(socket, SUCCESS.slice(2, 4));
  expect(data("a")).toMatchObject({ status: "completed", output: { n: 1 }, progress: 100 });
  expect(now().nodes[1]).toBe(b);
  await send(socket, SUCCESS.slice(4, 8));
  expect(data("b")).toMatchObject({ status: "running", message: "again" });
  const before = changes();
  await send(socket, SUCCESS.slice(8, 9));
  expect(changes()).toBe(before);
});

it("tells what happened last, as the seed's message has it", async () => {
  const { now, socket } = workflow();
  await accept(socket);
  await serve(socket, SUCCESS.slice(0, 1));
  const base = { executionId: ID, workflowId: "wf-1", message: null, data: null };
  expect(now().lastMessage).toEqual({ ...base, nodeId: null, status: "running", timestamp: at(1) });
  await send(socket, SUCCESS.slice(1, 4));
  const done = { ...base, nodeId: "a", status: "completed", timestamp: at(4), data: { n: 1 } };
  expect(now().lastMessage).toEqual(done);
  await send(socket, SUCCESS.slice(4, 8));
  expect(now().lastMessage).toMatchObject({ nodeId: "b", status: "running", message: "again" });
  await send(socket, SUCCESS.slice(8));
  expect(now().lastMessage).toMatchObject({ nodeId: null, status: "completed", data: { n: 1 } });
});

it("writes statuses into nodes that come later", async () => {
  const { now, data, socket } = workflow();
  await accept(socket);
  await serve(socket, SUCCESS);
  act(() => now().setNodes([{ id: "b", data: { label: "new" } }]));
  await pass();
  expect(data("b")).toMatchObject({ label: "new", status: "completed" });
});

it("says why there is nothing to see", async () => {
  const { now, socket } = workflow();
  await accept(socket);
  const error = { code: "not_found", message: "no such execution" };
  socket.last("subscribe").answer({ ok: false, error });
  await pass();
  expect(now().error).toBe("no such execution");
  const lost = workflow();
  await accept(lost.socket);
  await serve(lost.socket, SUCCESS.slice(0, 3));
  act(() => lost.socket.lose("ping timeout"));
  await pass();
  expect(lost.now().isConnected).toBe(false);
  expect(lost.now().error).toContain("ping timeout");
  await pass(2_000);
  await accept(lost.socket);
  expect(lost.now()).toMatchObject({ isConnected: true, error: null });
});

it("watches nothing without an id", async () => {
  const { now, socket } = workflow(null);
  await pass();
  expect(socket.tries).toBe(0);
  expect(now()).toMatchObject({ isConnected: false, lastMessage: null, error: null });
});

it("streams logs, with the ends of nodes, in order", async () => {
  const { runroom, socket } = server(client);
  const { now } = hook(() => useWebSocketLogs(ID), runroom);
  expect(now()).toMatchObject({ logs: [], connectionStatus: "connecting" });
  await accept(socket);
  expect(now().connectionStatus).toBe("connected");
  await serve(socket, SUCCESS);
  const { logs } = now();
  expect(messages(logs)).toEqual(["hello", "completed", "careful", "almost", "completed"]);
  expect(logs[0]).toEqual({
    id: "line-hello",
    execution_id: ID,
    step_name: "a",
    step_type: "tool",
    input_data: null,
    output_data: { message: "hello" },
    duration_ms: null,
    timestamp: at(0),
    error_message: null,
    level: "info",
    message: "hello",
  });
  expect(logs[1]).toMatchObject({
    id: `${ID}:4`,
    step_name: "a",
    step_type: "tool",
    output_data: { n: 1 },
    timestamp: at(4),
    level: "info",
  });
  expect(new Set(logs.map(({ id }) => id)).size).toBe(5);
});

it("has each line once and in order, whatever the connection does", async () => {
  const { runroom, socket } = server(client);
  const { now } = hook(() => useWebSocketLogs(ID), runroom);
  await accept(socket);
  await serve(socket, SUCCESS.slice(0, 5));
  const { logs } = now();
  await send(socket, [...SUCCESS.slice(1, 5), ...SUCCESS.slice(6, 7)]);
  expect(now().logs).toBe(logs);
  expect(socket.last("subscribe").args).toEqual([{ executionId: ID, after: 5, batch: true }]);
  await serve(socket, SUCCESS.slice(5, 7));
  act(() => socket.lose());
  await pass();
  expect(now().connectionStatus).toBe("connecting");
  act(() => now().reconnect());
  await accept(socket);
  expect(socket.last("subscribe").args).toEqual([{ executionId: ID, after: 7, batch: true }]);
  await serve(socket, SUCCESS.slice(7));
  expect(messages(now().logs)).toEqual(["hello", "completed", "careful", "almost", "completed"]);
});

it("tells failures, and begins anew when the server does", async () => {
  const { runroom, socket } = server(client);
  const { now } = hook(() => useWebSocketLogs(ID), runroom);
  await accept(socket);
  await serve(
    socket,
    numbered([
      status("running"),
      node("a", "running"),
      log("bad", { nodeId: "a", level: "error" }),
      node("a", "failed", { error: "boom" }),
      node("b", "skipped"),
      { type: "error", error: "boom", nodeId: "a" },
      status("failed"),
    ]),
  );
  expect(now().logs.map(({ level, error_message }) => [level, error_message])).toEqual([
    ["error", "bad"],
    ["error", "boom"],
    ["info", null],
  ]);
  act(() => socket.receive("reset", { executionId: ID, reason: "ahead", head: 2 }));
  await send(socket, numbered([status("running"), log("other")]));
  expect(messages(now().logs)).toEqual(["other"]);
});

it("shows when it is refused", async () => {
  const { runroom, socket } = server(client);
  const { now } = hook(() => useWebSocketLogs(ID), runroom);
  await pass();
  act(() => socket.refuse("token_invalid"));
  await pass();
  expect(now().connectionStatus).toBe("error");
  act(() => now().reconnect());
  await accept(socket);
  expect(now().connectionStatus).toBe("connected");
});

it("goes over to another execution", async () => {
  const { runroom, socket } = server(client);
  const seen: (string | undefined)[] = [];
  function Probe({ id }: { id: string }) {
    seen.push(useExecution(id)?.executionId);
    return null;
  }
  const { show } = mount(<Probe id={ID} />, runroom);
  await accept(socket);
  await serve(socket, SUCCESS);
  show(<Probe id="next" />);
  await pass();
  await serve(socket, SUCCESS.slice(0, 2), "next");
  expect(seen.at(-1)).toBe("next");
  expect(seen.lastIndexOf(ID)).toBeLessThan(seen.indexOf("next"));
  await pass(1_500);
  expect(socket.last("unsubscribe").args).toEqual([ID]);
});
