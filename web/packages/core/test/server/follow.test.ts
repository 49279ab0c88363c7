import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type Event, type ExecutionStore, fold, initial, Runroom, type Workflow } from "../../src";
import { Server } from "../support/server";

let server: Server;
const open: Runroom[] = [];

beforeAll(async () => {
  server = await Server.start();
  server.executor();
}, 30_000);
afterAll(async () => {
  for (const runroom of open) runroom.close();
  await server.close();
}, 30_000);

function runroom(token?: () => Promise<string>): Runroom {
  const made = new Runroom({
    url: server.url,
    ...(token && { token }),
    connection: { delay: 50, delayMax: 200, pingInterval: 200 },
  });
  open.push(made);
  return made;
}

function working(seconds: number, logs: number): Workflow {
  const simulate = (id: string) => ({
    id,
    kind: "tool" as const,
    config: { tool: "simulate", arguments: { seconds, logs, seed: 1 } },
  });
  return {
    name: "At work",
    nodes: [
      { id: "start", kind: "trigger" },
      simulate("one"),
      simulate("two"),
      { id: "end", kind: "output" },
    ],
    edges: [
      { source: "start", target: "one" },
      { source: "one", target: "two" },
      { source: "two", target: "end" },
    ],
  };
}

async function execute(on: Runroom, workflow: Workflow, input?: unknown): Promise<string> {
  const { id } = await on.api.workflows.create(workflow);
  return (await on.execute({ workflowId: id, input })).executionId;
}

const ended = (store: ExecutionStore) =>
  vi.waitFor(() => expect(store.getSnapshot().phase).toBe("ended"), 20_000);

/** All events of the store behind the server. */
async function history(on: Runroom, id: string): Promise<{ events: Event[]; state: object }> {
  const events: Event[] = [];
  for (;;) {
    const page = await on.api.executions.events(id, { after: events.length });
    events.push(...page.events);
    if (events.length >= page.head) {
      return { events, state: fold(initial(page.execution), events) };
    }
  }
}

/** What the store shows is what the server has, in every part. */
async function complete(on: Runroom, store: ExecutionStore): Promise<void> {
  const { events, state } = await history(on, store.executionId);
  const shown = store.getSnapshot();
  expect(shown.state).toEqual(state);
  expect(shown.state).toEqual(await on.api.executions.get(store.executionId));
  const lines = events.flatMap((event) => (event.type === "log" ? event.log.message : []));
  const rows = Array.from({ length: store.logs.length }, (_, n) => store.logs.row(n)?.message);
  expect(rows).toEqual(lines);
}

it("follows an execution from its first event to its last", async () => {
  const on = runroom();
  const id = await execute(on, working(0.3, 20), { n: 1 });
  const { store } = on.watch(id);
  const seen: number[] = [];
  store.subscribe(() => void seen.push(store.getSnapshot().seq));
  await ended(store);
  expect(store.getSnapshot().state).toMatchObject({ status: "completed", input: { n: 1 } });
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.length).toBeGreaterThan(3);
  expect(store.timeline.nodeIds).toEqual(["start", "one", "two", "end"]);
  await complete(on, store);
  // again, after its end, by two at once
  const late = runroom();
  const [one, two] = [late.watch(id), late.watch(id)];
  expect(one.store).toBe(two.store);
  await ended(one.store);
  await complete(late, one.store);
  await vi.waitFor(() => expect(one.store.getSnapshot().presence?.count).toBe(1));
});

it("loses and repeats nothing when the server is killed in the middle", async () => {
  const on = runroom();
  const id = await execute(on, working(3, 300));
  const { store } = on.watch(id);
  await vi.waitFor(() => expect(store.logs.length).toBeGreaterThan(20), 10_000);
  await server.kill();
  await vi.waitFor(() => {
    const { connection } = store.getSnapshot();
    expect(connection.state).toBe("reconnecting");
    expect(connection.retryAt).not.toBeNull();
  });
  expect(store.duration().ticking).toBe(false);
  // asked for while nobody answers: done once, when somebody does
  const { id: workflowId } = store.getSnapshot().state!.graph.nodes[0]!;
  expect(workflowId).toBe("start");
  const cancel = on.cancel("nobody").catch((error: { code: string }) => error.code);
  expect(on.outbox.size).toBe(1);
  await server.start();
  expect(await cancel).toBe("not_found");
  await vi.waitFor(() => expect(store.getSnapshot().connection.error).toBeNull(), 10_000);
  await ended(store);
  expect(store.getSnapshot().state?.status).toBe("completed");
  await complete(on, store);
}, 60_000);

it("cancels, retries and replays", async () => {
  const on = runroom();
  const id = await execute(on, working(30, 100));
  const { store } = on.watch(id);
  await vi.waitFor(() => expect(store.getNode("one")?.status).toBe("running"), 10_000);
  await on.cancel(id);
  await ended(store);
  expect(store.getSnapshot().state?.status).toBe("cancelled");
  const replay = on.replay(id);
  await replay.load();
  expect(replay.getSnapshot().state).toEqual({ ...store.getSnapshot().state, executor: null });
  const { events } = await history(on, id);
  const { execution } = await on.api.executions.events(id);
  for (const seq of [0, 1, 3, events.length - 2]) {
    replay.seek(seq);
    expect(replay.getSnapshot().state).toEqual(fold(initial(execution), events.slice(0, seq)));
  }
  const again = await on.api.executions.retry(id);
  expect(again.retryOf).toBe(id);
  const tile = on.watch(again.executionId, { history: false });
  await vi.waitFor(() => expect(tile.store.getSnapshot().phase).toBe("live"));
  await on.cancel(again.executionId);
  await ended(tile.store);
}, 30_000);

it("shows refusals as they are", async () => {
  const on = runroom();
  const { store } = on.watch("nobody");
  await vi.waitFor(() =>
    expect(store.getSnapshot()).toMatchObject({ phase: "error", error: { code: "not_found" } }),
  );
  const bad = runroom(async () => "no.good.token");
  bad.connection.connect();
  await vi.waitFor(() =>
    expect(bad.connection.getSnapshot()).toMatchObject({
      state: "error",
      error: { code: "token_invalid" },
    }),
  );
  await expect(bad.api.stats()).rejects.toMatchObject({ code: "token_invalid", status: 401 });
});

it("measures, and is let in with a token", async () => {
  const plain = runroom();
  const { token } = await plain.api.devToken({ role: "viewer", sub: "ada", name: "Ada" });
  const on = runroom(async () => token);
  on.connection.connect();
  await vi.waitFor(() => expect(on.connection.getSnapshot().roundTrip).not.toBeNull());
  expect(Math.abs(on.connection.getSnapshot().clockOffset)).toBeLessThan(1_000);
  expect(on.connection.getSnapshot().transport).toBe("websocket");
  await expect(on.execute({ workflowId: "wf" })).rejects.toMatchObject({ code: "forbidden" });
  on.connection.reconnect();
  await vi.waitFor(() => expect(on.connection.getSnapshot().state).toBe("connected"));
});
