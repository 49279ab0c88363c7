import {
  CONNECTED,
  type Event,
  type EventOf,
  type ExecutionRecord,
  type ExecutionState,
  ExecutionStore,
  initial,
  Replay,
  Runroom,
  Scheduler,
  type Sink,
  type Watchable,
} from "@runroom/core";
import { mount, type VueWrapper } from "@vue/test-utils";
import { type Component, defineComponent, h } from "vue";
import { createMemoryHistory, createRouter, type Router, RouterView } from "vue-router";
import { provideClient } from "../../src/client";
import { provideActions } from "../../src/execution/actions";
import { createModel, type ExecutionModel, provideModel } from "../../src/execution/model";
import { provideViewState, type View } from "../../src/execution/view";

export const ID = "ex-1";
export const START = Date.parse("2026-01-31T12:00:00.000Z");
const NODES = ["read", "write"];

const RECORD: ExecutionRecord = {
  executionId: ID,
  workflowId: "wf-1",
  workflowName: "Test",
  graph: {
    nodes: NODES.map((id) => ({
      id,
      kind: "tool",
      name: id.toUpperCase(),
      config: null,
      position: null,
      retry: null,
      timeoutMs: null,
      pool: null,
      requires: [],
    })),
    edges: [],
  },
  input: null,
  owner: "ada",
  priority: 0,
  retryOf: null,
  createdAt: new Date(START).toISOString(),
};

type Said = Pick<Event, "type"> & Record<string, unknown>;

/** What a test says happens, as an execution whose events come second by second. */
export class Feed {
  readonly scheduler = new Scheduler();
  readonly events: Event[] = [];
  #sink: Sink | undefined;
  readonly #log: { capacity?: number };

  constructor(log: { capacity?: number } = {}) {
    this.#log = log;
  }

  say(...said: Said[]): void {
    for (const each of said) {
      const seq = this.events.length + 1;
      const timestamp = new Date(START + seq * 1_000).toISOString();
      const event = { executionId: ID, seq, attempt: 1, timestamp, ...each } as Event;
      if (event.type === "log") event.log.createdAt = timestamp;
      this.events.push(event);
      this.#sink?.event(event);
    }
  }

  watchable(): Watchable {
    const connection = { subscribe: () => () => {}, getSnapshot: () => CONNECTED };
    const state: ExecutionState = initial(RECORD);
    const store = new ExecutionStore(
      ID,
      {
        open: (_, sink) => {
          this.#sink = sink;
          sink.started(state, this.events.length);
          for (const event of this.events) sink.event(event);
          return { restart: () => {}, close: () => {} };
        },
        snapshot: async () => state,
        connection,
      },
      this.scheduler,
      { log: this.#log },
    );
    const read = async (after: number) => ({
      execution: RECORD,
      events: this.events.filter(({ seq, type }) => seq > after && type !== "log"),
      head: this.events.length,
    });
    const replay = () => new Replay(read, this.scheduler);
    return { watch: () => ({ store, release: () => {} }), replay } as unknown as Watchable;
  }
}

export const running: Said = { type: "status", status: "running" };
export const completed: Said = { type: "status", status: "completed" };
export const node = (nodeId: string, status: string, more: object = {}): Said => ({
  type: "nodeStatus",
  nodeId,
  status,
  ...more,
});
export const line = (message: string, more: Partial<EventOf<"log">["log"]> = {}): Said => ({
  type: "log",
  log: { id: `id-${message}`, level: "info", message, ...more },
});

export interface Shown {
  readonly wrapper: VueWrapper;
  readonly router: Router;
  readonly view: View;
  readonly model: ExecutionModel;
  readonly runroom: Runroom;
  /** Everything that has come is drawn. */
  settle(): Promise<void>;
}

/** A view inside the page of an execution, at an address. */
export async function show(component: Component, feed: Feed, query = ""): Promise<Shown> {
  const got = {} as { view: View; model: ExecutionModel };
  const runroom = new Runroom({ autoConnect: false, fetch: () => Promise.reject(new Error("no")) });
  const Frame = defineComponent({
    setup() {
      got.view = provideViewState();
      got.model = createModel(feed.watchable(), ID, got.view);
      provideModel(got.model);
      provideActions(got.model);
      return () => h(component);
    },
  });
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: "/executions/:id", name: "execution", component: Frame },
      { path: "/:rest(.*)*", component: { render: () => null } },
    ],
  });
  await router.push(`/executions/${ID}${query}`);
  const client = {
    install: (app: Parameters<typeof provideClient>[0]) =>
      provideClient(app, { runroom, hasToken: { value: false }, setToken: () => {} } as never),
  };
  const wrapper = mount(RouterView, {
    attachTo: document.body,
    global: { plugins: [router, client] },
  });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) {
      feed.scheduler.flush();
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
  await settle();
  return { wrapper, router, runroom, settle, ...got };
}
