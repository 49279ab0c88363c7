import type { ExecutionRecord, ExecutionState, NodeState } from "./contract.gen";
import { RunroomError } from "./errors";
import { isTerminal, moveExecution, moveNode } from "./states";
import type { Event, EventOf } from "./types";

/** The state before the first event: everything pending, seq 0. */
export function initial(record: ExecutionRecord): ExecutionState {
  const nodes: Record<string, NodeState> = {};
  for (const node of record.graph.nodes) {
    put(nodes, { ...newNode(node.id), name: node.name || node.id, kind: node.kind });
  }
  return {
    ...record,
    status: "pending",
    attempt: 0,
    seq: 0,
    progress: 0,
    startedAt: null,
    endedAt: null,
    result: null,
    error: null,
    logCount: 0,
    nodes,
    executor: null,
  };
}

/**
 * The state after one event.
 * @throws RunroomError as `fold`.
 */
export function apply(state: ExecutionState, event: Event): ExecutionState {
  return fold(state, [event]);
}

/**
 * The state after all events, or an error that changes nothing. What did not change is the same
 * object as before.
 * @throws RunroomError `gap`: a seq is not the next; `fenced`: an older attempt; `sealed`: the
 *   execution has ended; `invalid`: an illegal move, or an event of another execution.
 */
export function fold(state: ExecutionState, events: Iterable<Event>): ExecutionState {
  const draft = new Draft(state);
  for (const event of events) draft.apply(event);
  return draft.finish();
}

/** Collects the changes of many events, so that the state is copied once, however many there are. */
export class Draft {
  /** Ids of the nodes that have changed. */
  readonly dirty = new Set<string>();
  readonly #before: ExecutionState;
  readonly #state: ExecutionState;

  constructor(state: ExecutionState) {
    this.#before = state;
    this.#state = { ...state };
  }

  get seq(): number {
    return this.#state.seq;
  }

  get status(): ExecutionState["status"] {
    return this.#state.status;
  }

  /** @throws RunroomError as `fold`; the draft is as before. */
  apply(event: Event): void {
    const state = this.#state;
    if (event.executionId !== state.executionId) {
      throw new RunroomError("invalid", `the event is of execution ${event.executionId}`);
    }
    if (event.attempt < state.attempt) {
      throw new RunroomError("fenced", `attempt ${event.attempt} is over`);
    }
    if (isTerminal(state.status)) {
      throw new RunroomError("sealed", `the execution is ${state.status}: its log is sealed`);
    }
    if (event.seq !== state.seq + 1) {
      throw new RunroomError("gap", `seq ${event.seq} does not follow ${state.seq}`);
    }
    switch (event.type) {
      case "log":
        state.logCount += 1;
        break;
      case "nodeStatus":
        this.#nodeStatus(event);
        break;
      case "progress":
        this.#progress(event);
        break;
      case "status":
        this.#status(event);
        break;
      case "result":
        state.result = event.result;
        break;
      case "error":
        state.error = event.error;
    }
    state.seq = event.seq;
    state.attempt = event.attempt;
  }

  /** Count the events up to `seq` as log lines: for a reader that left those out. */
  skipLogs(seq: number): void {
    if (seq <= this.#state.seq) return;
    this.#state.logCount += seq - this.#state.seq;
    this.#state.seq = seq;
  }

  /** The state after the events so far. The draft is not to be used any more. */
  finish(): ExecutionState {
    return this.#state.seq === this.#before.seq ? this.#before : this.#state;
  }

  #status(event: EventOf<"status">): void {
    const state = this.#state;
    state.status = moveExecution(state.status, event.status, event.attempt > state.attempt);
    if (event.status === "running") state.startedAt ??= event.timestamp;
    if (isTerminal(event.status)) state.endedAt = event.timestamp;
  }

  #nodeStatus(event: EventOf<"nodeStatus">): void {
    const before = this.#find(event.nodeId);
    const status = moveNode(event.nodeId, before.status, event.status, event.reused === true);
    const node = this.#change(before);
    node.status = status;
    node.message = event.message ?? null;
    if (status === "running") {
      node.tries = event.try ?? node.tries + 1;
      node.startedAt ??= event.timestamp;
      node.progress = 0;
    } else if (event.try != null) {
      node.tries = event.try;
    }
    if (isTerminal(status)) {
      node.endedAt = event.timestamp;
      node.durationMs = event.durationMs ?? passed(node.startedAt, event.timestamp);
      node.error = event.error ?? null;
      node.output = event.output ?? null;
      if (status === "completed") node.progress = 100;
    }
  }

  #progress(event: EventOf<"progress">): void {
    this.#state.progress = event.progress;
    if (event.nodeId == null || (event.nodeProgress == null && event.message == null)) return;
    const before = this.#find(event.nodeId);
    // a late report, say of a thread whose result was given up
    if (isTerminal(before.status)) return;
    const node = this.#change(before);
    if (event.nodeProgress != null) node.progress = event.nodeProgress;
    if (event.message != null) node.message = event.message;
  }

  #find(nodeId: string): NodeState {
    const nodes = this.#state.nodes;
    // an outside run's nodes may appear with their first event
    return (Object.hasOwn(nodes, nodeId) && nodes[nodeId]) || newNode(nodeId);
  }

  /** A node that may be written to: copied the first time, and `nodes` with the first of all. */
  #change(node: NodeState): NodeState {
    if (this.dirty.has(node.nodeId)) return node;
    if (this.dirty.size === 0) this.#state.nodes = { ...this.#state.nodes };
    this.dirty.add(node.nodeId);
    const copy = { ...node };
    put(this.#state.nodes, copy);
    return copy;
  }
}

/** An assignment that takes every id: to `__proto__` a plain one would set the prototype. */
function put(nodes: ExecutionState["nodes"], node: NodeState): void {
  if (node.nodeId === "__proto__") {
    const own = { value: node, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(nodes, node.nodeId, own);
  } else {
    nodes[node.nodeId] = node;
  }
}

function newNode(nodeId: string): NodeState {
  return {
    nodeId,
    name: nodeId,
    kind: null,
    status: "pending",
    progress: 0,
    message: null,
    startedAt: null,
    endedAt: null,
    durationMs: null,
    tries: 0,
    output: null,
    error: null,
  };
}

function passed(start: string | null, end: string): number | null {
  return start === null ? null : Math.max(0, Date.parse(end) - Date.parse(start));
}
