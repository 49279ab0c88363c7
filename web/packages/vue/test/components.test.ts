import { Simulator } from "@runroom/core";
import { createPinia } from "pinia";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { h, version } from "vue";
import {
  ExecutionLogs,
  ExecutionStatus,
  ExecutionsView,
  executionsApi,
  useExecution,
  useExecutionStore,
} from "../src";
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

const simulator = () => new Simulator({ seed: 2, failureRate: 0, speed: 20 });
const line = (n: number, level = "info") =>
  ({
    id: `l${n}`,
    level,
    message: `line ${n}`,
    createdAt: new Date(2026, 0, 31, 14, 3, 7, n),
  }) as never;

const button = (root: HTMLElement, name: string) =>
  [...root.querySelectorAll("button")].find((each) => each.textContent === name)!;

it("runs with the version that it says", () => {
  expect(version.startsWith(process.env.EXPECTED_VERSION!)).toBe(true);
});

it("shows lines with time, level and node, and clears them", async () => {
  const pinia = createPinia();
  const cleared = vi.fn();
  const { root } = mount(() => () => h(ExecutionLogs, { onClear: cleared }), FAKE, pinia);
  const store = useExecutionStore(pinia);
  expect(root.textContent).toContain("No lines yet");
  store.addLog({ ...(line(1, "warning") as object), nodeId: "plan" } as never);
  store.addLog(line(2, "error"));
  await pass();
  const rows = [...root.querySelectorAll(".rr-log-row")];
  expect(rows.map((row) => [...row.children].map((cell) => cell.textContent))).toEqual([
    ["14:03:07.001", "warning", "plan", "line 1"],
    ["14:03:07.002", "error", "line 2"],
  ]);
  expect(rows.map((row) => row.className)).toEqual([
    "rr-log-row rr-log-warning",
    "rr-log-row rr-log-error",
  ]);
  button(root, "Clear").click();
  await pass();
  expect([store.logs.length, cleared.mock.calls.length]).toEqual([0, 1]);
});

it("draws of many lines only those that are seen, and follows the newest", async () => {
  const lines = Array.from({ length: 5_000 }, (_, n) => line(n));
  const { root } = mount(() => () => h(ExecutionLogs, { logs: lines }), FAKE);
  await pass();
  expect(root.querySelectorAll(".rr-log-row").length).toBeLessThan(100);
  const pinia = createPinia();
  const live = mount(() => () => h(ExecutionLogs), FAKE, pinia);
  const store = useExecutionStore(pinia);
  for (const each of lines.slice(0, 500)) store.addLog(each);
  await pass();
  expect(live.root.querySelector(".rr-log-row:last-child")?.textContent).toContain("line 499");
  expect(live.root.querySelectorAll(".rr-log-row").length).toBeLessThan(100);
});

it("leaves given lines to their owner", async () => {
  const cleared = vi.fn();
  const { root } = mount(() => () => h(ExecutionLogs, { logs: [line(1)], onClear: cleared }), FAKE);
  button(root, "Clear").click();
  await pass();
  expect(cleared).toHaveBeenCalledOnce();
  expect(root.querySelectorAll(".rr-log-row")).toHaveLength(1);
});

it("shows the connection as colour and word", async () => {
  const { root } = mount(() => () => h(ExecutionLogs), FAKE);
  const socket = lastSocket(client);
  const dot = () => root.querySelector(".rr-dot")!.className;
  const word = () => root.querySelector("[role=status]")!.textContent;
  expect([dot(), word()]).toEqual(["rr-dot rr-dot-disconnected", "Disconnected"]);
  void executionsApi;
  const { activeRunroom } = await import("../src");
  activeRunroom().hold();
  await pass();
  expect([dot(), word()]).toEqual(["rr-dot rr-dot-reconnecting", "Connecting"]);
  socket.accept();
  await pass();
  expect([dot(), word()]).toEqual(["rr-dot rr-dot-connected", "Connected"]);
  socket.lose();
  await pass();
  expect([dot(), word()]).toEqual(["rr-dot rr-dot-reconnecting", "Reconnecting"]);
});

it("shows status, facts, nodes, error and output", async () => {
  const execution = {
    id: "exec-1",
    workflowName: "Research",
    status: "failed" as const,
    progress: 50,
    error: "boom",
    result: { n: 1 },
    createdAt: "2026-01-31T12:00:00.000Z",
  };
  const nodes = { plan: "completed", write: "failed" };
  const { root } = mount(() => () => h(ExecutionStatus, { execution, nodes }), FAKE);
  const status = root.querySelector("[data-testid=execution-status]")!;
  expect([status.getAttribute("data-status"), status.textContent]).toEqual(["failed", "✕failed"]);
  expect(root.querySelector("dl")?.textContent).toContain("exec-1");
  expect(root.querySelector("dl")?.textContent).toContain("Research");
  expect(root.querySelector("[data-testid=node-write]")?.getAttribute("data-status")).toBe(
    "failed",
  );
  expect(root.querySelector("[role=alert]")?.textContent).toBe("boom");
  expect(root.querySelector("pre")?.textContent).toBe('{\n  "n": 1\n}');
  const empty = mount(() => () => h(ExecutionStatus), FAKE);
  expect(empty.root.textContent).toContain("No execution yet");
});

it("starts an execution, watches it to its end, and keeps it as a past one", async () => {
  const started = vi.fn();
  const pinia = createPinia();
  const view = () =>
    h(ExecutionsView, { workflowId: "wf_1", input: '{"n": 1}', onStarted: started });
  const { root, unmount } = mount(() => view, { client: simulator() }, pinia);
  const store = useExecutionStore(pinia);
  const submit = async () => {
    root.querySelector("form")!.dispatchEvent(new Event("submit", { cancelable: true }));
    await pass();
  };
  await submit();
  expect(started.mock.lastCall?.[0]).toMatchObject({ workflowId: "wf_1", status: "pending" });
  await pass(200);
  expect(store.currentExecution).toMatchObject({ status: "running", input: { n: 1 } });
  expect(button(root, "Stop").disabled).toBe(false);
  await pass(5_000);
  const status = () => root.querySelector("[data-testid=execution-status]")?.textContent;
  expect(status()).toBe("✓completed");
  expect(root.querySelector(".rr-output pre")?.textContent).toBeTruthy();
  expect(root.querySelectorAll(".rr-log-row").length).toBeGreaterThan(5);
  expect(button(root, "Stop").disabled).toBe(true);
  const first = store.currentExecution!.id;
  await submit();
  expect(store.executionHistory.map(({ id }) => id)).toEqual([first]);
  button(root, first).click();
  await pass(50);
  expect(store.currentExecution).toMatchObject({ id: first, status: "completed" });
  unmount();
});

it("stops an execution", async () => {
  const stopped = vi.fn();
  const pinia = createPinia();
  const view = () => h(ExecutionsView, { workflowId: "wf_1", onStopped: stopped });
  const { root } = mount(() => view, { client: simulator() }, pinia);
  root.querySelector("form")!.dispatchEvent(new Event("submit", { cancelable: true }));
  await pass(100);
  button(root, "Stop").click();
  await pass(50);
  const { currentExecution } = useExecutionStore(pinia);
  expect(stopped).toHaveBeenCalledWith(currentExecution?.id);
  expect(currentExecution?.status).toBe("cancelled");
});

it("says what is wrong with the input", async () => {
  const view = () => h(ExecutionsView, { workflowId: "wf_1", input: "{" });
  const { root } = mount(() => view, { client: simulator() });
  root.querySelector("form")!.dispatchEvent(new Event("submit", { cancelable: true }));
  await pass();
  expect(root.querySelector("[role=alert]")?.textContent).toBe("The input is not JSON");
});

it("executes from anywhere, with the id in two forms", async () => {
  const fetch = vi.fn(async () =>
    Response.json({ id: "e1", executionId: "e1", workflowId: "wf_1", status: "pending" }),
  );
  mount(() => null, { ...FAKE, fetch: fetch as never });
  const execution = await executionsApi.execute({ workflowId: "wf_1", input: { n: 1 } });
  expect([execution.id, execution.executionId]).toEqual(["e1", "e1"]);
  const [address, request] = fetch.mock.lastCall as unknown as [string, RequestInit];
  expect(address).toBe("http://server/api/workflows/wf_1/execute");
  expect(JSON.parse(request.body as string)).toEqual({ input: { n: 1 } });
  await executionsApi.cancel("e1");
  expect((fetch.mock.lastCall as unknown as [string])[0]).toContain("/api/executions/e1/cancel");
});

it("shows an execution without the store", async () => {
  const client = simulator();
  const id = client.start();
  const { result, unmount } = mount(() => useExecution(() => id), { client });
  await pass(5_000);
  expect(result.snapshot.value).toMatchObject({ phase: "ended", progress: 100 });
  expect(result.store.value?.logs.length).toBeGreaterThan(0);
  unmount();
  client.close();
  expect(vi.getTimerCount()).toBe(0);
});
