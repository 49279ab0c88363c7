import {
  CONNECTED,
  type Event,
  type ExecutionRecord,
  ExecutionStore,
  initial,
  type Replay,
  Scheduler,
  type Sink,
  type Source,
  type Watchable,
} from "@runroom/core";

/** How many nodes run at once; the others wait or have ended. */
const RUNNING = 120;
const EVERY_MS = 5;

/** An execution whose events come at a steady rate, through the store as any other's. */
export class Feed implements Watchable {
  readonly record: ExecutionRecord;
  readonly store: ExecutionStore;
  #sink: Sink | undefined;
  #seq = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(nodes: number, edges: number) {
    this.record = recordOf(nodes, edges);
    const source: Source = {
      open: (_, sink) => {
        this.#sink = sink;
        sink.started(initial(this.record), 0);
        return { restart: () => {}, close: () => {} };
      },
      snapshot: async () => initial(this.record),
      connection: { subscribe: () => () => {}, getSnapshot: () => CONNECTED },
    };
    this.store = new ExecutionStore("bench", source, new Scheduler());
    this.#begin();
  }

  get seq(): number {
    return this.#seq;
  }

  watch() {
    return { store: this.store, release: () => {} };
  }

  replay(): Replay {
    throw new Error("there is nothing to replay");
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** So many updates a second: progress, and every tenth a try that begins again. */
  start(rate: number): void {
    let count = 0;
    const begun = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - begun) / 1_000) * rate;
      for (; count < due; count += 1) this.#update(count);
    }, EVERY_MS);
  }

  #update(count: number): void {
    const nodeId = this.#running(count);
    if (count % 10 === 0) {
      this.#say({ type: "nodeStatus", nodeId, status: "running", message: `page ${count}` });
    } else {
      this.#say({ type: "progress", progress: 40, nodeId, nodeProgress: (count * 7) % 100 });
    }
  }

  #begin(): void {
    const { nodes } = this.record.graph;
    const done = nodes.length / 2 - RUNNING / 2;
    this.#say({ type: "status", status: "running" });
    for (const { id } of nodes.slice(0, done + RUNNING)) {
      this.#say({ type: "nodeStatus", nodeId: id, status: "running" });
    }
    for (const { id } of nodes.slice(0, done)) {
      this.#say({ type: "nodeStatus", nodeId: id, status: "completed", output: { id } });
    }
  }

  #running(count: number): string {
    const { nodes } = this.record.graph;
    return nodes[nodes.length / 2 - RUNNING / 2 + (count % RUNNING)]!.id;
  }

  #say(event: Record<string, unknown>): void {
    this.#seq += 1;
    const timestamp = new Date().toISOString();
    const base = { executionId: "bench", seq: this.#seq, attempt: 1, timestamp };
    this.#sink?.event({ ...base, ...event } as unknown as Event);
  }
}

/** A wide graph with long edges, the same each time. */
function recordOf(count: number, links: number): ExecutionRecord {
  const nodes = Array.from({ length: count }, (_, at) => ({
    id: `n${at}`,
    kind: at === 0 ? ("trigger" as const) : at % 3 === 0 ? ("agent" as const) : ("tool" as const),
    name: `Step ${at} of the crawl`,
    config: { tool: "http.request" },
    position: null,
    retry: null,
    timeoutMs: null,
    pool: null,
    requires: [],
  }));
  const edges = Array.from({ length: links }, (_, at) => {
    const first = at < count - 1;
    const target = first ? at + 1 : 30 + ((at * 7) % (count - 30));
    const source = first
      ? Math.max(0, target - 1 - ((target * 7_919) % 20))
      : target - 2 - ((at * 31) % 24);
    return {
      source: `n${source}`,
      target: `n${target}`,
      when: at % 40 === 39 ? "input.deep" : null,
    };
  });
  return {
    executionId: "bench",
    workflowId: "bench",
    workflowName: "Bench",
    graph: { nodes, edges },
    input: null,
    owner: "bench",
    priority: 0,
    retryOf: null,
    createdAt: new Date().toISOString(),
  };
}
