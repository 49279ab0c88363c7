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

/** As the server sends them to who asked for batches. */
const BATCH_MS = 50;
const RUNNING = 100;

/** An execution that logs and moves at a steady rate; what comes is read from JSON, as from a socket. */
export class Feed {
  readonly record: ExecutionRecord;
  readonly store: ExecutionStore;
  #sink: Sink | undefined;
  #seq = 0;
  #lines = 0;
  #moves = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(nodes: number) {
    this.record = recordOf(nodes);
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
    const first = this.record.graph.nodes.slice(0, RUNNING);
    this.#bring([
      this.#event('"type":"status","status":"running"'),
      ...first.map(({ id }) =>
        this.#event(`"type":"nodeStatus","nodeId":"${id}","status":"running"`),
      ),
    ]);
  }

  get seq(): number {
    return this.#seq;
  }

  watchable(): Watchable {
    const replay = (): Replay => {
      throw new Error("there is nothing to replay");
    };
    return { watch: () => ({ store: this.store, release: () => {} }), replay } as never;
  }

  /** So many lines at once, as at the end of catching up. */
  fill(lines: number): void {
    const until = this.#lines + lines;
    while (this.#lines < until) {
      const events: string[] = [];
      for (let n = 0; n < 1_000 && this.#lines < until; n += 1) events.push(this.#line());
      this.#bring(events);
    }
  }

  /** So many lines and moves of nodes a second. */
  start(lines: number, moves: number): void {
    this.stop();
    const begun = performance.now();
    let [brought, moved] = [0, 0];
    this.#timer = setInterval(() => {
      const seconds = (performance.now() - begun) / 1_000;
      const events: string[] = [];
      for (; moved < seconds * moves; moved += 1) events.push(this.#move());
      for (; brought < seconds * lines; brought += 1) events.push(this.#line());
      this.#bring(events);
    }, BATCH_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #line(): string {
    this.#lines += 1;
    const n = this.#lines;
    const level = n % 97 === 0 ? "error" : n % 23 === 0 ? "warning" : "info";
    const color = n % 5 === 0 ? "\\u001b[32mok\\u001b[0m " : "";
    const tail =
      n % 7 === 0 ? " and went on with the next of the pages that are left to read".repeat(2) : "";
    const message = `${color}fetched page ${n} of the crawl in ${n % 900} ms${tail}`;
    const log = `{"id":"bench:${this.#seq + 1}","nodeId":"n${n % RUNNING}","level":"${level}","message":"${message}","createdAt":"${new Date().toISOString()}"}`;
    return this.#event(`"type":"log","log":${log}`);
  }

  #move(): string {
    this.#moves += 1;
    const nodeId = `n${(this.#moves * 7) % RUNNING}`;
    return this.#event(
      `"type":"nodeStatus","nodeId":"${nodeId}","status":"running","message":"page ${this.#moves}"`,
    );
  }

  #event(rest: string): string {
    this.#seq += 1;
    const timestamp = new Date().toISOString();
    return `{"executionId":"bench","seq":${this.#seq},"attempt":1,"timestamp":"${timestamp}",${rest}}`;
  }

  #bring(events: readonly string[]): void {
    for (const event of JSON.parse(`[${events.join(",")}]`) as Event[]) this.#sink?.event(event);
  }
}

function recordOf(count: number): ExecutionRecord {
  const rest = { config: null, position: null, retry: null, timeoutMs: null, pool: null };
  const nodes = Array.from({ length: count }, (_, at) => ({
    id: `n${at}`,
    kind: at === 0 ? ("trigger" as const) : at % 3 === 0 ? ("agent" as const) : ("tool" as const),
    name: `Step ${at} of the crawl`,
    ...rest,
    requires: [],
  }));
  const edges = nodes.slice(1).map(({ id }, at) => ({
    source: `n${Math.max(0, at - ((at * 7_919) % 20))}`,
    target: id,
    when: null,
  }));
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
