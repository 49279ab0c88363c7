import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Runroom, Simulator } from "@runroom/core";
import { act } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  at,
  ID,
  log,
  node,
  numbered,
  SUCCESS,
  start,
  status,
} from "../../core/test/support/events";
import {
  AgentNode,
  BaseNode,
  ExecutionLogViewer,
  OutputNode,
  RealtimeExecutionVisualizer,
  RealtimeMonitoringDemo,
  ToolNode,
  TriggerNode,
  VISUALS,
  WorkflowExecutionMonitor,
} from "../src";
import { accept, button, click, mount, pass, send, serve, server, text } from "./support";

const { client } = vi.hoisted(() => ({ client: { current: undefined as never } }));
vi.mock("socket.io-client", async () => {
  const { fakeClient } = await import("../../core/test/support/socket");
  const made = fakeClient();
  client.current = made as never;
  return { io: made.io };
});

beforeEach(() => void vi.useFakeTimers({ now: Date.parse(at(20)) }));
afterEach(() => void vi.useRealTimers());

const FAILURE = numbered([
  status("running"),
  node("a", "running"),
  node("a", "failed", { error: "boom" }),
  node("b", "skipped"),
  { type: "error", error: "boom", nodeId: "a" },
  status("failed"),
]);

describe("nodes", () => {
  const STATUSES = [
    [undefined, "#9ca3af", "Idle"],
    ["pending", "#9ca3af", "Pending"],
    ["running", "#3b82f6", "Running"],
    ["completed", "#10b981", "Completed"],
    ["failed", "#ef4444", "Failed"],
    ["skipped", "#f59e0b", "Skipped"],
    ["cancelled", "#ef4444", "Cancelled"],
    ["success", "#10b981", "Completed"],
    ["error", "#ef4444", "Failed"],
  ] as const;

  it.each(STATUSES)("shows %s as colour, icon and word", (word, color, label) => {
    const data = word === undefined ? { label: "Plan" } : { label: "Plan", status: word };
    const { root } = mount(<BaseNode id="n" data={data} />);
    const element = root.querySelector<HTMLElement>("[data-testid=node-n]")!;
    expect(element.style.borderColor).toBe(color);
    expect(text(root, ".rr-node-badge")).toBe(label);
    expect(root.querySelector(".rr-node-mark svg")).not.toBeNull();
    expect(element.classList.contains("pulse-running")).toBe(word === "running");
    expect(element.classList.contains("pulse-error")).toBe(color === "#ef4444");
  });

  it("shows the status text, or the error, in the node", () => {
    const { root, show } = mount(<AgentNode data={{ status: "running", message: "thinking" }} />);
    expect(text(root, ".rr-node-message")).toBe("thinking");
    show(<AgentNode data={{ status: "failed", message: "thinking", error: "boom" }} />);
    expect(text(root, ".rr-node-message")).toBe("boom");
    show(<AgentNode data={{ status: "pending" }} />);
    expect(root.querySelector(".rr-node-message")).toBeNull();
  });

  it("has an icon and a colour for each of the four kinds", () => {
    const kinds = [TriggerNode, AgentNode, ToolNode, OutputNode].map((Kind) => {
      const { root } = mount(<Kind data={{ label: "x" }} />);
      return [
        root.querySelector("[title]")?.getAttribute("title"),
        text(root, "path, rect"),
        root.querySelector(".rr-node-kind")?.innerHTML,
      ] as const;
    });
    expect(kinds.map(([kind]) => kind)).toEqual(["trigger", "agent", "tool", "output"]);
    expect(new Set(kinds.map(([, , icon]) => icon)).size).toBe(4);
  });
});

it("has the seed's colours and animations in the style sheet", async () => {
  const css = await readFile(join(import.meta.dirname, "../src/realtime-visualizer.css"), "utf8");
  for (const name of ["pulse-running", "pulse-error", "flow-animation"]) {
    expect(css).toContain(`@keyframes ${name} `);
    expect(css).toMatch(new RegExp(`\\.${name} \\{\\s*animation: ${name} `));
  }
  expect(css).toContain("prefers-reduced-motion");
  expect(Object.fromEntries(Object.entries(VISUALS).map(([k, v]) => [k, v.color]))).toEqual({
    idle: "#9ca3af",
    pending: "#9ca3af",
    running: "#3b82f6",
    success: "#10b981",
    error: "#ef4444",
    skipped: "#f59e0b",
  });
});

describe("RealtimeExecutionVisualizer", () => {
  const graph = (state: object) => ({
    ...state,
    graph: {
      ...(state as { graph: object }).graph,
      edges: [{ source: "a", target: "b", when: null }],
    },
  });

  async function shown(updates = vi.fn()) {
    const { runroom, socket } = server(client, graph(start()));
    const { root, unmount } = mount(
      <RealtimeExecutionVisualizer executionId={ID} onNodeUpdate={updates} />,
      runroom,
    );
    await accept(socket);
    socket.last("subscribe").answer({ ok: true, executionId: ID, head: 0, state: graph(start()) });
    await pass();
    return { root, socket, updates, unmount };
  }

  it("draws the graph and tells each node's status once, in the visualizer's words", async () => {
    const { root, socket, updates } = await shown();
    expect(root.querySelectorAll(".rr-edge")).toHaveLength(1);
    for (const event of SUCCESS) await send(socket, [event]);
    expect(updates.mock.calls).toEqual([
      ["a", "pending"],
      ["b", "pending"],
      ["a", "running"],
      ["a", "success"],
      ["b", "running"],
      ["b", "success"],
    ]);
    expect(root.querySelector("[data-testid=execution-status]")?.textContent).toBe("✅ Completed");
    expect(text(root, "[aria-label=Summary]")).toContain("2 completed");
  });

  it("lets connections flow into running nodes", async () => {
    const { root, socket } = await shown();
    await send(socket, SUCCESS.slice(0, 5));
    expect(root.querySelector(".flow-animation")).toBeNull();
    await send(socket, SUCCESS.slice(5, 6));
    expect(root.querySelectorAll(".flow-animation")).toHaveLength(1);
    await send(socket, SUCCESS.slice(6));
    expect(root.querySelector(".flow-animation")).toBeNull();
  });

  it("shows failures, and the connection", async () => {
    const { root, socket, updates } = await shown();
    await send(socket, FAILURE);
    expect(updates.mock.calls.slice(2)).toEqual([
      ["a", "error"],
      ["b", "skipped"],
    ]);
    expect(text(root, "[aria-label=Summary]")).toContain("1 failed, 1 skipped");
    expect(text(root, "[data-testid=node-a]")).toContain("boom");
    act(() => socket.lose());
    await pass();
    expect(root.querySelector("[data-testid=connection]")?.getAttribute("data-state")).toBe(
      "reconnecting",
    );
  });

  it("goes to the server of its backendUrl", async () => {
    vi.stubGlobal("fetch", async () => Response.json({}));
    const { unmount } = mount(
      <RealtimeExecutionVisualizer executionId={ID} backendUrl="http://else:2" />,
    );
    const { io } = client.current as { io: ReturnType<typeof vi.fn> };
    expect(io.mock.calls.map(([address]) => address)).toContain("http://else:2/executions");
    unmount();
    await pass(1_500);
    vi.unstubAllGlobals();
  });
});

describe("ExecutionLogViewer", () => {
  it("merges lines that are known with those that come, each once", async () => {
    const { runroom, socket } = server(client);
    const known = (id: string, message: string) =>
      ({ id, message, execution_id: ID, step_name: "x", level: "info", timestamp: at(0) }) as never;
    const logs = [known("older", "older"), known("line-hello", "hello"), known("older", "older")];
    const { root } = mount(<ExecutionLogViewer executionId={ID} logs={logs} />, runroom);
    expect(root.querySelectorAll("[data-testid=log-row]")).toHaveLength(2);
    await accept(socket);
    await serve(socket, SUCCESS);
    const rows = [...root.querySelectorAll("[data-testid=log-row]")];
    expect(rows.map((row) => row.lastChild?.textContent)).toEqual([
      "older",
      "hello",
      "completed",
      "careful",
      "almost",
      "completed",
    ]);
    expect(rows[3]?.className).toBe("rr-log-row rr-log-warning");
  });

  it("shows the connection, and reconnects", async () => {
    const { runroom, socket } = server(client);
    const { root } = mount(<ExecutionLogViewer executionId={ID} />, runroom);
    const look = () => [
      root.querySelector(".rr-dot")!.className.replace("rr-dot rr-dot-", ""),
      text(root, "[role=status]"),
    ];
    expect(look()).toEqual(["connecting", "Connecting"]);
    await pass();
    act(() => socket.refuse("forbidden"));
    await pass();
    expect(look()).toEqual(["error", "Error"]);
    await click(button(root, "Reconnect"));
    await accept(socket);
    expect(look()).toEqual(["connected", "Connected"]);
    expect(button(root, "Reconnect")).toBeUndefined();
  });

  it("draws of many lines only those that are seen, the newest", async () => {
    const { runroom, socket } = server(client);
    const { root } = mount(<ExecutionLogViewer executionId={ID} />, runroom);
    await accept(socket);
    const many = Array.from({ length: 2_000 }, (_, n) => log(`n${n}`));
    await serve(socket, numbered([status("running"), ...many]));
    expect(text(root, ".rr-title")).toBe("Logs (2,000)");
    expect(root.querySelectorAll("[data-testid=log-row]").length).toBeLessThan(100);
  });
});

describe("WorkflowExecutionMonitor", () => {
  const EMOJI = [
    ["pending", "⏳", "Pending"],
    ["running", "🔄", "Running"],
    ["completed", "✅", "Completed"],
    ["failed", "❌", "Failed"],
  ] as const;
  const execution = (word: (typeof EMOJI)[number][0], more: object = {}) => ({
    id: ID,
    workflow_id: "wf-001",
    status: word,
    created_at: at(0),
    progress: 45,
    ...more,
  });

  it.each(EMOJI)("shows %s as emoji, word and background", (word, emoji, label) => {
    const { runroom } = server(client);
    const { root } = mount(<WorkflowExecutionMonitor execution={execution(word)} />, runroom);
    expect(text(root, ".rr-emoji")).toBe(emoji);
    expect(text(root, "[data-testid=execution-status]")).toBe(label);
    expect(root.querySelector("article")!.className).toBe(`rr-monitor rr-monitor-${word}`);
    const bar = root.querySelector("progress");
    expect(bar?.value).toBe(word === "running" ? 45 : undefined);
  });

  it("goes on from what it was given", async () => {
    const { runroom, socket } = server(client, start());
    const { root } = mount(<WorkflowExecutionMonitor execution={execution("pending")} />, runroom);
    await accept(socket);
    socket.last("subscribe").answer({ ok: true, executionId: ID, head: 0, state: start() });
    await pass();
    await send(socket, SUCCESS.slice(0, 5));
    expect(text(root, "[data-testid=execution-status]")).toBe("Running");
    expect(root.querySelector("progress")?.value).toBe(50);
    const before = text(root, "[data-testid=duration]");
    await pass(1_000);
    expect(text(root, "[data-testid=duration]")).not.toBe(before);
    act(() => socket.lose());
    await pass();
    const still = text(root, "[data-testid=duration]");
    expect(still).toContain("(paused)");
    await pass(500);
    expect(text(root, "[data-testid=duration]")).toBe(still);
    await pass(2_000);
    await accept(socket);
    socket.last("subscribe").answer({ ok: true, executionId: ID, head: 13, state: null });
    await send(socket, SUCCESS.slice(5));
    expect(text(root, "[data-testid=execution-status]")).toBe("Completed");
    expect(text(root, "[data-testid=duration]")).toBe("12.0 s");
    expect(root.querySelector("progress")).toBeNull();
  });

  it("toggles the log, which then has the lines from the first on", async () => {
    const simulator = new Simulator({ seed: 2, failureRate: 0, speed: 20 });
    const id = simulator.start();
    const { root } = mount(
      <WorkflowExecutionMonitor execution={execution("pending", { id })} />,
      simulator,
    );
    await pass(2_000);
    expect(root.querySelector("[role=log]")).toBeNull();
    await click(button(root, "Show Logs"));
    await pass();
    expect(root.querySelectorAll("[data-testid=log-row]").length).toBeGreaterThan(5);
    await click(button(root, "Hide Logs"));
    expect(root.querySelector("[role=log]")).toBeNull();
    simulator.close();
  });
});

describe("RealtimeMonitoringDemo", () => {
  it("starts executions and watches them at once", async () => {
    const simulator = new Simulator({ seed: 2, failureRate: 0, speed: 5 });
    const { root, unmount } = mount(<RealtimeMonitoringDemo />, simulator);
    expect(root.textContent).toContain("No active executions");
    await click(button(root, "Start New Execution"));
    await pass();
    await click(button(root, "Start New Execution"));
    await pass(300);
    const words = () =>
      [...root.querySelectorAll("[data-testid=execution-status]")].map((each) => each.textContent);
    expect(words()).toEqual(["Running", "Running"]);
    await pass(10_000);
    expect(words()).toEqual(["Completed", "Completed"]);
    unmount();
    simulator.close();
  });

  it("asks the server to simulate one", async () => {
    const fetch = vi.fn(async () =>
      Response.json({ id: "demo-1", executionId: "demo-1", workflowId: "wf", status: "pending" }),
    );
    const runroom = new Runroom({ url: "http://server", fetch: fetch as never });
    const { root } = mount(<RealtimeMonitoringDemo />, runroom);
    await click(button(root, "Start New Execution"));
    const [address, request] = fetch.mock.calls[0] as unknown as [string, RequestInit];
    expect(address).toMatch(/^http:\/\/server\/executions\/demo-[\d-]+\/start-streaming$/);
    expect(request.method).toBe("POST");
    expect(root.querySelector("[data-testid=execution-demo-1]")).not.toBeNull();
  });

  it("starts what it is told to, and says what fails", async () => {
    const start = vi.fn().mockRejectedValueOnce(new Error("no workflow"));
    const { runroom } = server(client);
    const { root } = mount(<RealtimeMonitoringDemo startExecution={start} />, runroom);
    await click(button(root, "Start New Execution"));
    expect(text(root, "[role=alert]")).toBe("no workflow");
    start.mockResolvedValueOnce({ id: "e-1", workflowId: "wf" });
    await click(button(root, "Start New Execution"));
    expect(root.querySelector("[role=alert]")).toBeNull();
    expect(root.querySelector("[data-testid=execution-e-1]")).not.toBeNull();
  });
});
