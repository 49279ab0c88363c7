import type { ExecutionState } from "../contract/contract.gen";
import { type ErrorInfo, errorInfo } from "../contract/errors";
import { differing } from "../execution/store";
import type { Timeline } from "../execution/timeline";
import { Listeners } from "../listeners";
import type { Scheduler } from "../scheduler";
import { History, type ReadHistory } from "./history";

export interface ReplaySnapshot {
  /** As it was after the event `seq`; null before anything was read. */
  readonly state: ExecutionState | null;
  readonly seq: number;
  /** Epoch ms, between the events too while it plays. */
  readonly time: number | null;
  readonly playing: boolean;
  readonly speed: number;
  readonly loading: boolean;
  readonly error: ErrorInfo | null;
  /** What there is to move in: seq 0 … `last`, and its times. */
  readonly last: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly dirtyNodes: ReadonlySet<string>;
}

export const MIN_SPEED = 1;
export const MAX_SPEED = 16;

/** An execution as it was at any moment, to move through by hand or to play. */
export class Replay {
  readonly #read: ReadHistory;
  readonly #scheduler: Scheduler;
  readonly #history = new History();
  readonly #listeners = new Listeners();
  #loading: Promise<void> | undefined;
  #closed = false;
  /** When the last step of playing was made, by the clock on the wall. */
  #steppedAt = 0;
  #snapshot: ReplaySnapshot = {
    state: null,
    seq: 0,
    time: null,
    playing: false,
    speed: 1,
    loading: false,
    error: null,
    last: 0,
    startedAt: null,
    endedAt: null,
    dirtyNodes: new Set(),
  };

  constructor(read: ReadHistory, scheduler: Scheduler) {
    this.#read = read;
    this.#scheduler = scheduler;
  }

  getSnapshot = (): ReplaySnapshot => this.#snapshot;

  subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener);

  /** The bars of all that was read; those that start after the snapshot's time had not begun. */
  get timeline(): Timeline {
    return this.#history.timeline;
  }

  /** Read what is not read yet; called again, what has happened since. Errors are in the snapshot. */
  load(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** Go to the moment after this event; 0 is before the first. */
  seek(seq: number): void {
    const to = Math.min(Math.max(0, Math.floor(seq)), this.#history.head);
    this.#show(to, this.#history.timeAt(to));
  }

  /** Go to a time, in epoch ms. */
  seekTime(time: number): void {
    const { startedAt, endedAt } = this.#history;
    if (startedAt === null || endedAt === null) return;
    const to = Math.min(Math.max(startedAt, time), endedAt);
    this.#show(this.#history.seqAt(to), to);
  }

  /** Play on from here; from the beginning if it stands at the end. */
  play(speed = this.#snapshot.speed): void {
    this.setSpeed(speed);
    if (this.#snapshot.playing || this.#history.length === 0) return;
    if (this.#snapshot.seq >= this.#history.head) this.seek(0);
    this.#steppedAt = performance.now();
    this.#change({ playing: true });
    this.#scheduler.request(this.#step);
  }

  pause(): void {
    this.#scheduler.cancel(this.#step);
    this.#change({ playing: false });
  }

  /** 1 … 16 times as fast as it was. */
  setSpeed(speed: number): void {
    this.#change({ speed: Math.min(Math.max(MIN_SPEED, speed), MAX_SPEED) });
  }

  close(): void {
    this.#closed = true;
    this.#scheduler.cancel(this.#step);
  }

  async #load(): Promise<void> {
    this.#change({ loading: true, error: null });
    const atEnd = this.#snapshot.seq === this.#history.head;
    let after = this.#history.head;
    try {
      for (;;) {
        const { execution, events, head } = await this.#read(after);
        if (this.#closed) return;
        // a page that brings something may have ended early: only an empty one reaches the head
        const last = events.at(-1);
        after = last?.seq ?? head;
        this.#history.add(execution, events, after);
        this.#change({ last: this.#history.head });
        if (last === undefined) break;
      }
      this.#change({ loading: false });
      const { startedAt, endedAt } = this.#history;
      this.#change({ startedAt, endedAt });
      this.seek(atEnd ? this.#history.head : this.#snapshot.seq);
    } catch (error) {
      if (!this.#closed) this.#change({ loading: false, error: errorInfo(error) });
    }
  }

  readonly #step = (): void => {
    if (!this.#snapshot.playing) return;
    const now = performance.now();
    const passed = (now - this.#steppedAt) * this.#snapshot.speed;
    this.#steppedAt = now;
    this.seekTime((this.#snapshot.time ?? this.#history.startedAt ?? 0) + passed);
    if (this.#snapshot.seq >= this.#history.head) this.pause();
    else this.#scheduler.request(this.#step);
  };

  #show(seq: number, time: number | null): void {
    const before = this.#snapshot.state;
    const state = seq === this.#snapshot.seq && before !== null ? before : this.#history.at(seq);
    this.#change({ state, seq, time, dirtyNodes: differing(before, state) });
  }

  #change(more: Partial<ReplaySnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...more };
    this.#listeners.notify();
  }
}
