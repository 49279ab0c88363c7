import type { ExecutionState, NodeStatus } from "../contract/contract.gen";
import { isTerminal } from "../contract/states";
import type { Event, EventOf } from "../contract/types";

/** One try of a node: a bar of a Gantt chart. */
export interface Try {
  readonly try: number;
  /** Of the execution: another one means that another executor took over. */
  readonly attempt: number;
  readonly startedAt: string;
  /** Null while it runs. */
  readonly endedAt: string | null;
  /** A try that was followed by another one is `failed`. */
  readonly status: NodeStatus;
  /** Why there is this further try, or what it said last. */
  readonly message: string | null;
  readonly error: string | null;
}

const NONE: readonly Try[] = [];

/** When each node ran, try by try. */
export class Timeline {
  readonly #tries = new Map<string, readonly Try[]>();
  readonly #ends = new Map<string, number>();
  #nodeIds: readonly string[] = NONE as readonly never[];
  #version = 0;

  /** In the order in which they started. The same array until one more starts. */
  get nodeIds(): readonly string[] {
    return this.#nodeIds;
  }

  /** Another number whenever something has changed. */
  get version(): number {
    return this.#version;
  }

  /** The same array until something of this node changes. */
  of(nodeId: string): readonly Try[] {
    return this.#tries.get(nodeId) ?? NONE;
  }

  /** The seqs that ended nodes, in order; of those whose end was not seen live there is none. */
  get ends(): ReadonlyMap<string, number> {
    return this.#ends;
  }

  apply(event: Event): void {
    if (event.type !== "nodeStatus") return;
    if (isTerminal(event.status)) this.#ends.set(event.nodeId, event.seq);
    this.#nodeStatus(event);
  }

  clear(): void {
    this.#tries.clear();
    this.#ends.clear();
    this.#nodeIds = [];
    this.#version += 1;
  }

  /** What a snapshot tells: the nodes that ran, each with one bar for all its tries. */
  restore(state: ExecutionState): void {
    this.clear();
    const started = Object.values(state.nodes).filter((node) => node.startedAt !== null);
    started.sort((a, b) => a.startedAt!.localeCompare(b.startedAt!));
    for (const node of started) {
      const { nodeId, startedAt, endedAt, status, message, error } = node;
      const bar = { try: node.tries, attempt: state.attempt, endedAt, status, message, error };
      this.#set(nodeId, [{ ...bar, startedAt: startedAt! }]);
    }
  }

  #nodeStatus(event: EventOf<"nodeStatus">): void {
    const { nodeId, status, timestamp, attempt } = event;
    const before = this.of(nodeId);
    const last = before.at(-1);
    const running = last !== undefined && last.endedAt === null;
    const message = event.message ?? null;
    if (status === "running") {
      const closed: readonly Try[] = running
        ? [...before.slice(0, -1), { ...last, endedAt: timestamp, status: "failed" }]
        : before;
      const number = event.try ?? (last?.try ?? 0) + 1;
      const started: Try = {
        try: number,
        attempt,
        startedAt: timestamp,
        endedAt: null,
        status,
        message,
        error: null,
      };
      this.#set(nodeId, [...closed, started]);
    } else if (isTerminal(status) && running) {
      const ended: Try = {
        ...last,
        endedAt: timestamp,
        status,
        message: message ?? last.message,
        error: event.error ?? null,
      };
      this.#set(nodeId, [...before.slice(0, -1), ended]);
    }
  }

  #set(nodeId: string, tries: readonly Try[]): void {
    if (!this.#tries.has(nodeId)) this.#nodeIds = [...this.#nodeIds, nodeId];
    this.#tries.set(nodeId, tries);
    this.#version += 1;
  }
}
