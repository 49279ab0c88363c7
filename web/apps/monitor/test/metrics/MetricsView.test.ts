import { type Runroom, RunroomError, type Stats } from "@runroom/core";
import { flushPromises, mount, type VueWrapper } from "@vue/test-utils";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { provideClient } from "../../src/client";
import MetricsView from "../../src/metrics/MetricsView.vue";

const STATS: Stats = {
  connections: 12,
  subscriptions: 30,
  executions: { running: 2, completed: 1_200 },
  eventsPerSecond: 4.25,
  executors: 1,
};
let wrapper: VueWrapper | undefined;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  wrapper?.unmount();
  vi.useRealTimers();
});

interface Answers {
  stats: () => Promise<Stats>;
  list?: () => Promise<unknown>;
  get?: (id: string) => Promise<unknown>;
}

async function open({ stats, list, get }: Answers): Promise<VueWrapper> {
  const none = async () => ({ items: [], nextCursor: null });
  const executions = { list: list ?? none, get };
  const runroom = { api: { stats, executions } } as unknown as Runroom;
  const client = { runroom, hasToken: { value: false }, setToken: () => {} };
  const install = (app: Parameters<typeof provideClient>[0]) => provideClient(app, client as never);
  wrapper = mount(MetricsView, { global: { plugins: [{ install }] } });
  await flushPromises();
  return wrapper;
}

test("figures as they are, again and again", async () => {
  const stats = vi.fn(async () => ({ ...STATS, connections: 11 + stats.mock.calls.length }));
  const page = await open({ stats });
  const values = () => page.findAll("[data-testid=chart-value]").map((value) => value.text());
  expect(values()).toEqual(["4.3", "12", "30", "1", "0", "2", "1,200", "0", "0"]);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(stats).toHaveBeenCalledTimes(3);
  expect(values()[1]).toBe("14");
  expect(page.text()).toContain("The server keeps no history");
});

test("a token that does not see all executions is told so", async () => {
  const page = await open({ stats: async () => ({ ...STATS, executions: null }) });
  expect(page.find("[data-testid=status-counts]").exists()).toBe(false);
  expect(page.text()).toContain("Your token does not see all executions");
});

test("a server that does not answer, from the start and later", async () => {
  let down = true;
  const stats = async () => {
    if (down) throw new RunroomError("unreachable", "the server cannot be reached");
    return STATS;
  };
  const page = await open({ stats });
  expect(page.get("[role=alert]").text()).toContain("the server cannot be reached");
  down = false;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(page.find("[role=alert]").exists()).toBe(false);
  down = true;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(page.text()).toContain("The last figures are of");
  // what was known is still shown, and what is not known is not
  expect(page.findAll("[data-testid=chart-value]")[1]!.text()).toBe("–");
});

test("times of nodes are of executions that ended, and say of how many", async () => {
  const at = (ms: number) => new Date(ms).toISOString();
  const node = (ms: number) => ({
    kind: "tool",
    status: "completed",
    startedAt: at(0),
    endedAt: at(ms),
  });
  const get = vi.fn(async (id: string) => {
    if (id === "gone") throw new RunroomError("not_found", "no such execution");
    return { workflowId: "w", nodes: { a: node(1_000), b: node(3_000) } };
  });
  const item = (executionId: string, status: string) => ({ executionId, status });
  const items = [item("new", "running"), item("one", "completed"), item("gone", "failed")];
  const list = async () => ({ items, nextCursor: null });
  const page = await open({ stats: async () => STATS, list, get });
  expect(get.mock.calls.map(([id]) => id)).toEqual(["one", "gone"]);
  const cells = page.findAll("[data-testid=kind-durations] tbody tr")[2]!.findAll("td");
  expect(cells.slice(0, 5).map((cell) => cell.text())).toEqual(["2", "1.0 s", "–", "–", "3.0 s"]);
  expect(page.text()).toContain("From 2 nodes that completed in the last 1 execution");
  expect(page.text()).toContain("1 execution could not be read");
});
