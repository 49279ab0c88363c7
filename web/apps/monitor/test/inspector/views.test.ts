import { flushPromises, mount } from "@vue/test-utils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { App } from "vue";
import { type Client, provideClient } from "../../src/client";
import GraphView from "../../src/graph/GraphView.vue";
import NodeInspector from "../../src/inspector/NodeInspector.vue";
import ValueView from "../../src/inspector/ValueView.vue";
import TimelineView from "../../src/timeline/TimelineView.vue";
import { type Shown, show } from "../support/views";

const HOSTILE = '<img src=x onerror="alert(1)"><b>bold</b>';
const WORKFLOW = {
  name: "Hostile",
  nodes: [
    { id: "a", kind: "trigger" as const, name: HOSTILE },
    {
      id: "__proto__",
      kind: "tool" as const,
      name: "Second",
      config: { tool: HOSTILE, arguments: { text: { $expr: `input."${HOSTILE}"` } } },
    },
    { id: "end", kind: "output" as const, name: "End" },
  ],
  edges: [
    { source: "a", target: "__proto__" },
    { source: "__proto__", target: "end" },
  ],
};
const ended = (model: Shown["model"]) => model.state.value?.status === "completed";

let shown: Shown | undefined;
beforeEach(() =>
  vi.stubGlobal("matchMedia", () => ({
    matches: false,
    addEventListener() {},
    removeEventListener() {},
  })),
);
afterEach(() => {
  shown?.close();
  shown = undefined;
  vi.unstubAllGlobals();
});

function noMarkup(): void {
  expect(document.querySelectorAll("img, b, script")).toHaveLength(0);
}

describe("text of users is text", () => {
  test("in the table of the graph", async () => {
    shown = await show(GraphView, WORKFLOW, ended, { address: "/?table=1" });
    expect(shown.wrapper.get('[data-testid="node-a"]').text()).toContain(HOSTILE);
    expect(shown.wrapper.get('[data-testid="node-__proto__"]').attributes("data-status")).toBe(
      "completed",
    );
    noMarkup();
  });

  test("in the timeline", async () => {
    shown = await show(TimelineView, WORKFLOW, ended);
    expect(shown.wrapper.get('[data-testid="timeline"]').text()).toContain(HOSTILE);
    expect(shown.wrapper.findAll(".bar")).toHaveLength(3);
    noMarkup();
  });

  test("in the inspector: configuration, expressions, input", async () => {
    shown = await show(NodeInspector, WORKFLOW, ended, { address: "/?node=__proto__" });
    const text = shown.wrapper.get('[data-testid="inspector"]').text();
    expect(text).toContain(`input."${HOSTILE}"`);
    expect(text).toContain("Retry from here");
    noMarkup();
  });

  test("in a value, in its names and when it is opened", async () => {
    const value = { [HOSTILE]: HOSTILE, long: `${HOSTILE}\n`.repeat(20) };
    const wrapper = mount(ValueView, { props: { value, label: HOSTILE }, attachTo: document.body });
    expect(wrapper.get(".key").text()).toBe(HOSTILE);
    await wrapper.findAll('[role="treeitem"]')[2]!.trigger("click");
    expect(wrapper.get("pre").text()).toContain(HOSTILE);
    noMarkup();
    wrapper.unmount();
  });
});

describe("views work together", () => {
  test("a row of the table and a bar choose the node, Enter opens it", async () => {
    shown = await show(GraphView, WORKFLOW, ended, { address: "/?table=1" });
    await shown.wrapper.get('[data-testid="node-end"]').trigger("click");
    expect(shown.view.state.node).toBe("end");
    await shown.wrapper.get('[data-testid="node-a"] button').trigger("keydown", { key: "Enter" });
    expect(shown.view.state).toMatchObject({ node: "a", tab: "node" });
  });

  test("arrow keys go from row to row of the timeline", async () => {
    shown = await show(TimelineView, WORKFLOW, ended);
    const [first] = shown.wrapper.findAll("[data-row]");
    await first!.trigger("keydown", { key: "ArrowDown" });
    await first!.trigger("keydown", { key: "ArrowDown" });
    expect(shown.view.state.node).toBe("end");
  });

  test("an inspector without a node, and with one that is not there, says so", async () => {
    shown = await show(NodeInspector, WORKFLOW, ended);
    expect(shown.wrapper.text()).toContain("No node is chosen");
    shown.view.set({ node: "toString" });
    await shown.wrapper.vm.$nextTick();
    expect(shown.wrapper.text()).toContain("There is no such node");
  });
});

describe("values", () => {
  test("2.3 MB are there at once, and cost what is opened of them", async () => {
    const value = Array.from({ length: 12_000 }, (_, id) => ({ id, text: "x".repeat(180) }));
    const wrapper = mount(ValueView, { props: { value, label: "Output" } });
    expect(wrapper.findAll('[role="treeitem"]').length).toBeLessThan(150);
    expect(wrapper.html().length).toBeLessThan(120_000);
    await wrapper.findAll('[role="treeitem"]')[1]!.trigger("click");
    expect(wrapper.findAll('[role="treeitem"]').length).toBeLessThan(300);
    wrapper.unmount();
  });

  test("a text of megabytes is shown in part", async () => {
    const wrapper = mount(ValueView, {
      props: { value: "word ".repeat(500_000), label: "Output" },
    });
    expect(wrapper.html().length).toBeLessThan(30_000);
    const before = wrapper.get("pre").text().length;
    await wrapper.get(".block button").trigger("click");
    expect(wrapper.get("pre").text().length).toBeGreaterThan(1.9 * before);
    wrapper.unmount();
  });

  test("a preview is fetched when it is asked for; trouble is said, and it can be asked again", async () => {
    const preview = { $preview: '[{"a', $size: 70_000, $ref: "/api/executions/e/nodes/n/output" };
    const value = vi
      .fn()
      .mockRejectedValueOnce(new Error("gone"))
      .mockResolvedValueOnce([{ a: 1 }]);
    const client = {
      install: (app: App) =>
        provideClient(app, { runroom: { api: { value } } } as unknown as Client),
    };
    const props = { value: preview, label: "Output" };
    const wrapper = mount(ValueView, { props, global: { plugins: [client] } });
    expect(wrapper.text()).toContain("68.4 KiB");
    expect(wrapper.get("pre").text()).toBe('[{"a…');
    await wrapper.get("button").trigger("click");
    await flushPromises();
    expect(wrapper.get('[role="alert"]').text()).toContain("gone");
    await wrapper.get("button").trigger("click");
    await flushPromises();
    expect(value).toHaveBeenCalledWith(preview);
    expect(wrapper.findAll('[role="treeitem"]')).toHaveLength(3);
  });
});
