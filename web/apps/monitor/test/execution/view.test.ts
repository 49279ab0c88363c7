import { flushPromises, mount } from "@vue/test-utils";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { defineComponent, h } from "vue";
import { createMemoryHistory, createRouter, type Router } from "vue-router";
import { provideViewState, readView, type View, writeView } from "../../src/execution/view";

const WHOLE = {
  tab: "node",
  node: "papers",
  seq: 0,
  levels: ["warning", "error"],
  logNodes: ["web", "papers"],
  text: "time out & more",
  line: 12,
  wrap: true,
} as const;

test("a view survives the address, and a default is left out of it", () => {
  const view = { ...readView({}), ...WHOLE };
  const query = writeView(view) as Record<string, string>;
  expect(readView(query)).toEqual(view);
  expect(writeView(readView({}))).toEqual({});
  expect(writeView(readView({}), { other: "1" })).toEqual({ other: "1" });
});

test("nonsense in the address is the default", () => {
  expect(readView({ tab: "nothing", seq: "-1", level: "loud,error", line: "1e9" })).toEqual({
    ...readView({}),
    levels: ["error"],
  });
  expect(readView({ tab: ["logs", "node"], seq: "9".repeat(30) })).toEqual(readView({}));
});

let router: Router;
let view: View;

beforeEach(async () => {
  vi.useFakeTimers();
  router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: "/executions/:id", name: "execution", component: { render: () => null } },
      { path: "/executions", name: "executions", component: { render: () => null } },
    ],
  });
  await router.push("/executions/ex_1?tab=timeline");
  const Host = defineComponent({
    setup() {
      view = provideViewState();
      return () => h("p");
    },
  });
  mount(Host, { global: { plugins: [router] } });
});
afterEach(() => vi.useRealTimers());

test("it begins with what the address says", () => {
  expect(view.state.tab).toBe("timeline");
});

test("a change shows at once, and the address follows, once for many", async () => {
  const replaced = vi.spyOn(router, "replace");
  for (let seq = 1; seq <= 50; seq += 1) view.set({ seq });
  expect(view.state.seq).toBe(50);
  expect(router.currentRoute.value.query).toEqual({ tab: "timeline" });
  await vi.advanceTimersByTimeAsync(200);
  await flushPromises();
  expect(router.currentRoute.value.query).toEqual({ tab: "timeline", seq: "50" });
  expect(replaced).toHaveBeenCalledTimes(1);
});

test("what is the same already does not touch the address", async () => {
  const replaced = vi.spyOn(router, "replace");
  view.set({ tab: "timeline", levels: [] });
  await vi.advanceTimersByTimeAsync(500);
  expect(replaced).not.toHaveBeenCalled();
});

test("a step that is pushed can be taken back", async () => {
  view.set({ node: "web" }, "push");
  await flushPromises();
  expect(router.currentRoute.value.query).toEqual({ tab: "timeline", node: "web" });
  router.back();
  await flushPromises();
  await vi.advanceTimersByTimeAsync(50);
  expect(view.state.node).toBeNull();
});

test("who has left is not brought back by a late change", async () => {
  view.set({ node: "web" });
  await router.push("/executions");
  await vi.advanceTimersByTimeAsync(500);
  expect(router.currentRoute.value.fullPath).toBe("/executions");
});

test("a permalink is a whole URL", () => {
  const link = new URL(view.href({ line: 7 }));
  expect(link.pathname).toBe("/executions/ex_1");
  expect(Object.fromEntries(link.searchParams)).toEqual({ tab: "timeline", line: "7" });
  expect(view.state.line).toBeNull();
});
