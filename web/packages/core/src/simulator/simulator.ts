import { CONNECTED } from "../connection/options";
import type { ExecutionRecord, ExecutionState, Workflow } from "../contract/contract.gen";
import { RunroomError } from "../contract/errors";
import { fold, initial } from "../contract/fold";
import { isTerminal } from "../contract/states";
import type { Event } from "../contract/types";
import type { Sink, Source, Stream } from "../execution/source";
import type { Accepted, ExecuteOptions } from "../http/types";
import type { LogRingOptions } from "../logs/ring";
import { Replay } from "../replay/replay";
import { Scheduler } from "../scheduler";
import { type Watch, type Watchable, Watches, type WatchOptions } from "../watch";
import { between, seeded } from "./random";
import { SAMPLE_WORKFLOW } from "./sample";
import { closing, numbered, type Step, script, type Unnumbered } from "./script";

export interface SimulatorOptions {
  /** The same seed gives the same executions. Default: another one each time. */
  seed?: number;
  /** How often a try of an agent or a tool fails, 0 … 1. Default: 0.1. */
  failureRate?: number;
  /** How many times as fast as life. Default: 1. */
  speed?: number;
  log?: LogRingOptions;
  scheduler?: Scheduler;
}

export interface SimulateRequest {
  workflow?: Workflow;
  input?: unknown;
  executionId?: string;
}

interface Simulated {
  readonly record: ExecutionRecord;
  readonly steps: readonly Step[];
  readonly startedAt: number;
  readonly events: Event[];
  readonly sinks: Set<Sink>;
  state: ExecutionState;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Executions without a server: the same events, in realistic time, with failures by chance. */
export class Simulator implements Watchable {
  readonly connection = {
    subscribe: () => () => {},
    getSnapshot: () => CONNECTED,
    reconnect: () => {},
  };
  readonly #options: Required<Pick<SimulatorOptions, "seed" | "failureRate" | "speed">>;
  readonly #scheduler: Scheduler;
  readonly #watches: Watches;
  readonly #executions = new Map<string, Simulated>();
  #count = 0;

  constructor(options: SimulatorOptions = {}) {
    const { seed = Math.floor(Math.random() * 2 ** 31), failureRate = 0.1, speed = 1 } = options;
    this.#options = { seed, failureRate, speed };
    this.#scheduler = options.scheduler ?? new Scheduler();
    const source: Source = {
      open: (executionId, sink, after) => this.#open(executionId, sink, after),
      snapshot: async (executionId) => this.#find(executionId).state,
      connection: this.connection,
    };
    this.#watches = new Watches(source, this.#scheduler, options.log ?? {}, 1_000);
  }

  /** @returns the id of an execution that has just begun. */
  start({ workflow = SAMPLE_WORKFLOW, input = null, executionId }: SimulateRequest = {}): string {
    this.#count += 1;
    const id = executionId ?? `simulated-${this.#count}`;
    if (this.#executions.has(id)) throw new RunroomError("conflict", `${id} exists already`);
    const record = recordFor(workflow, id, input);
    const random = seeded(this.#options.seed + this.#count);
    const simulated: Simulated = {
      record,
      steps: script(record, random, this.#options.failureRate),
      startedAt: Date.now() + between(random, 0, 50),
      events: [],
      sinks: new Set(),
      state: initial(record),
      timer: undefined,
    };
    this.#executions.set(id, simulated);
    this.#wait(simulated, 0);
    return id;
  }

  hold(): () => void {
    return () => {};
  }

  /** As a server does it, save that every workflow is the sample. */
  async execute({ workflowId, input }: ExecuteOptions): Promise<Accepted> {
    const id = this.start({ input });
    return { id, executionId: id, workflowId, status: "pending" };
  }

  /** @throws RunroomError `not_found`, `sealed` */
  cancel(executionId: string): void {
    const simulated = this.#find(executionId);
    if (isTerminal(simulated.state.status)) {
      throw new RunroomError("sealed", `the execution is ${simulated.state.status}`);
    }
    clearTimeout(simulated.timer);
    const happened = simulated.events.map((event) => ({ event }));
    for (const event of closing(simulated.record, happened, "cancelled")) {
      this.#say(simulated, event);
    }
    this.#say(simulated, { type: "status", status: "cancelled" });
  }

  watch(executionId: string, options?: WatchOptions): Watch {
    return this.#watches.watch(executionId, options);
  }

  replay(executionId: string): Replay {
    const read = async (after: number) => {
      const { record, events, state } = this.#find(executionId);
      const wanted = events.filter(({ seq, type }) => seq > after && type !== "log");
      return { execution: record, events: wanted, head: state.seq };
    };
    return new Replay(read, this.#scheduler);
  }

  close(): void {
    this.#watches.close();
    for (const { timer } of this.#executions.values()) clearTimeout(timer);
  }

  #open(executionId: string, sink: Sink, after: number): Stream {
    const simulated = this.#executions.get(executionId);
    let closed = false;
    const begin = (from: number) => {
      if (simulated === undefined) {
        sink.failed({ code: "not_found", message: "no such execution" });
        return;
      }
      sink.started(simulated.state, simulated.state.seq);
      for (const event of simulated.events.slice(from)) sink.event(event);
      simulated.sinks.add(sink);
    };
    const later = (from: number) => {
      simulated?.sinks.delete(sink);
      queueMicrotask(() => {
        if (!closed) begin(from);
      });
    };
    later(after);
    return {
      restart: later,
      close: () => {
        closed = true;
        simulated?.sinks.delete(sink);
      },
    };
  }

  #wait(simulated: Simulated, index: number): void {
    const step = simulated.steps[index];
    if (step === undefined) return;
    const due = simulated.startedAt + step.at / this.#options.speed;
    simulated.timer = setTimeout(
      () => {
        this.#say(simulated, step.event);
        this.#wait(simulated, index + 1);
      },
      Math.max(0, due - Date.now()),
    );
  }

  #say(simulated: Simulated, said: Unnumbered): void {
    const { record, events, sinks } = simulated;
    const event = numbered(record, said, events.length + 1, new Date().toISOString());
    events.push(event);
    simulated.state = fold(simulated.state, [event]);
    for (const sink of sinks) sink.event(event);
  }

  #find(executionId: string): Simulated {
    const simulated = this.#executions.get(executionId);
    if (simulated === undefined) throw new RunroomError("not_found", "no such execution");
    return simulated;
  }
}

function recordFor(workflow: Workflow, executionId: string, input: unknown): ExecutionRecord {
  const nodes = workflow.nodes.map((node) => ({
    id: node.id,
    kind: node.kind,
    name: node.name ?? null,
    config: node.config ?? null,
    position: node.position ?? null,
    retry: node.retry ? { attempts: 1, backoffMs: 1_000, ...node.retry } : null,
    timeoutMs: node.timeoutMs ?? null,
    pool: node.pool ?? null,
    requires: node.requires ?? [],
  }));
  const edges = (workflow.edges ?? []).map((edge) => ({ ...edge, when: edge.when ?? null }));
  return {
    executionId,
    workflowId: "simulated",
    workflowName: workflow.name,
    graph: { nodes, edges },
    input,
    owner: "simulator",
    priority: 0,
    retryOf: null,
    createdAt: new Date().toISOString(),
  };
}
