import type { ExecutionRecord, ExecutionState } from "../contract/contract.gen";
import { Draft, initial } from "../contract/fold";
import type { Event } from "../contract/types";
import { Timeline } from "../execution/timeline";
import { search } from "../logs/ring";

/** Events after a seq, log lines left out; `head` is how far that reaches once there are none. */
export type ReadHistory = (
  after: number,
) => Promise<{ execution: ExecutionRecord; events: readonly Event[]; head: number }>;

/** Checkpoints are so many events apart, or more in a long history. */
const INTERVAL = 500;
const MAX_CHECKPOINTS = 200;

/** The events of an execution, its log lines left out, and the state at any of them. */
export class History {
  readonly timeline = new Timeline();
  /** The last seq that is known of. */
  head = 0;
  readonly #events: Event[] = [];
  /** Epoch ms of each event; never less than that of the one before. */
  readonly #times: number[] = [];
  readonly #checkpoints: { count: number; state: ExecutionState }[] = [];
  #interval = INTERVAL;
  #record: ExecutionRecord | undefined;
  #last: { count: number; state: ExecutionState } | undefined;

  get length(): number {
    return this.#events.length;
  }

  /** Epoch ms of the first event; null as long as there is none. */
  get startedAt(): number | null {
    return this.#times[0] ?? null;
  }

  get endedAt(): number | null {
    return this.#times.at(-1) ?? null;
  }

  /** @throws RunroomError if the events do not fold. */
  add(record: ExecutionRecord, events: readonly Event[], head: number): void {
    if (this.#record === undefined) {
      this.#record = record;
      this.#checkpoints.push({ count: 0, state: initial(record) });
    }
    for (const event of events) {
      this.#events.push(event);
      const time = Date.parse(event.timestamp);
      // another executor's clock may be behind
      this.#times.push(Math.max(time, this.#times.at(-1) ?? time));
      this.timeline.apply(event);
    }
    this.head = Math.max(this.head, head, this.#events.at(-1)?.seq ?? 0);
    this.#mark();
  }

  /** The state after the event with this seq; null as long as nothing is known. */
  at(seq: number): ExecutionState | null {
    const count = search(0, this.length, (index) => this.#events[index]!.seq > seq);
    const from = this.#nearest(count);
    if (from === undefined) return null;
    const state = this.#fold(from, count);
    this.#last = { count, state };
    // log lines after the last of the other events
    const rest = new Draft(state);
    rest.skipLogs(Math.min(seq, this.head));
    return rest.finish();
  }

  /** The seq of the last event that had happened by then. */
  seqAt(time: number): number {
    const count = search(0, this.length, (index) => this.#times[index]! > time);
    return count === this.length ? this.head : (this.#events[count - 1]?.seq ?? 0);
  }

  /** When the event with this seq, or the last before it, happened. */
  timeAt(seq: number): number | null {
    const count = search(0, this.length, (index) => this.#events[index]!.seq > seq);
    return this.#times[Math.max(0, count - 1)] ?? null;
  }

  /** The nearest known state at or before `count` events. */
  #nearest(count: number): { count: number; state: ExecutionState } | undefined {
    const after = search(0, this.#checkpoints.length, (at) => this.#checkpoints[at]!.count > count);
    const checkpoint = this.#checkpoints[after - 1];
    const last = this.#last;
    // played forwards, the next state is a step from the last
    if (last !== undefined && last.count <= count && last.count > (checkpoint?.count ?? -1)) {
      return last;
    }
    return checkpoint;
  }

  #fold(from: { count: number; state: ExecutionState }, count: number): ExecutionState {
    const draft = new Draft(from.state);
    for (let index = from.count; index < count; index += 1) {
      const event = this.#events[index]!;
      draft.skipLogs(event.seq - 1);
      draft.apply(event);
    }
    return draft.finish();
  }

  #mark(): void {
    let last = this.#checkpoints.at(-1)!;
    while (last.count + this.#interval <= this.length) {
      const count = last.count + this.#interval;
      last = { count, state: this.#fold(last, count) };
      this.#checkpoints.push(last);
      if (this.#checkpoints.length > MAX_CHECKPOINTS) {
        const kept = this.#checkpoints.filter((_, index) => index % 2 === 0);
        this.#checkpoints.splice(0, this.#checkpoints.length, ...kept);
        this.#interval *= 2;
        last = this.#checkpoints.at(-1)!;
      }
    }
    // also what no checkpoint has seen must fold, and be found out here
    if (last.count < this.length) {
      const state = this.#fold(this.#nearest(this.length) ?? last, this.length);
      this.#last = { count: this.length, state };
    }
  }
}
