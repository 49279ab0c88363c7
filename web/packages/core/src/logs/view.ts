import { LEVELS } from "../contract/contract.gen";
import type { Level } from "../contract/types";
import { Listeners } from "../listeners";
import { type LogRing, type LogRow, search } from "./ring";

/** What is left out lets everything pass. */
export interface LogFilter {
  readonly levels?: readonly Level[];
  readonly nodeIds?: readonly string[];
  /** Part of the message, in any case. */
  readonly text?: string;
}

/** Rows between two looks at the clock. */
const STRIDE = 256;
const FIRST_SLICE_MS = 4;

/**
 * The rows of a ring that pass a filter, kept up to date as lines come; what a virtual list shows.
 * It changes only in `advance`, once a frame.
 */
export class LogView {
  readonly #ring: LogRing;
  readonly #listeners = new Listeners();
  readonly #released: (view: LogView) => void;
  readonly #wanted: () => void;
  #matches: ((index: number) => boolean) | undefined;
  #filter: LogFilter = {};
  /** Indexes of the rows that match, from `#from` on; unused without a filter. */
  #rows = new Float64Array(0);
  #from = 0;
  #to = 0;
  /** Rows before this have been looked at. */
  #scanned: number;
  #first: number;
  #version = 0;
  #changed = false;

  /**
   * Args:
   *   wanted: called when there is something to do for `advance`.
   */
  constructor(
    ring: LogRing,
    filter: LogFilter,
    wanted: () => void,
    released: (view: LogView) => void,
  ) {
    this.#ring = ring;
    this.#wanted = wanted;
    this.#released = released;
    this.#first = this.#scanned = ring.first;
    this.setFilter(filter);
  }

  get filter(): LogFilter {
    return this.#filter;
  }

  get length(): number {
    return this.#matches === undefined ? this.#scanned - this.#first : this.#to - this.#from;
  }

  /** There are lines that the filter has not gone through yet. */
  get scanning(): boolean {
    return this.#scanned < this.#ring.end;
  }

  /** How many lines the filter has gone through, of `ring.length`. */
  get scanned(): number {
    return Math.max(0, this.#scanned - this.#ring.first);
  }

  /** The row at 0 … length − 1; undefined also for one that was dropped since the last flush. */
  at(position: number): LogRow | undefined {
    if (position < 0 || position >= this.length) return undefined;
    return this.#ring.row(this.indexAt(position));
  }

  /** The index of the row at a position, which must be there; without reading the row. */
  indexAt(position: number): number {
    return this.#matches === undefined
      ? this.#first + position
      : this.#rows[this.#from + position]!;
  }

  /** The position of a row, by its index, or of the next row that matches. */
  positionOf(index: number): number {
    return search(0, this.length, (position) => this.indexAt(position) >= index);
  }

  /** How many rows have at most this seq: where a replay stands. */
  countUpTo(seq: number): number {
    return search(0, this.length, (position) => {
      const index = this.indexAt(position);
      return this.#ring.has(index) && this.#ring.seq(index) > seq;
    });
  }

  setFilter(filter: LogFilter): void {
    this.#filter = filter;
    this.#matches = this.#compile(filter);
    this.#from = this.#to = 0;
    this.#first = this.#scanned = this.#ring.first;
    this.#changed = true;
    // the first slice at once, so that a short log does not flicker
    if (!this.advance(FIRST_SLICE_MS)) this.#wanted();
  }

  subscribe = (listener: () => void): (() => void) => this.#listeners.add(listener);

  /** Another number whenever the view has changed. */
  getVersion = (): number => this.#version;

  /** No longer needed. */
  release(): void {
    this.#released(this);
  }

  /**
   * Take in what has come, and let go what was dropped, for at most `budget` ms.
   * @returns whether it is done with all lines.
   */
  advance(budget: number): boolean {
    const ring = this.#ring;
    const { end, first } = ring;
    const before = this.length;
    if (first > this.#first) {
      this.#first = first;
      while (this.#from < this.#to && this.#rows[this.#from]! < first) this.#from += 1;
      this.#changed = true;
    }
    this.#scanned = Math.max(this.#scanned, first);
    if (this.#matches === undefined) this.#scanned = end;
    else this.#scan(end, performance.now() + budget);
    if (this.#changed || this.length !== before) {
      this.#changed = false;
      this.#version += 1;
      this.#listeners.notify();
    }
    return this.#scanned === end;
  }

  #scan(end: number, until: number): void {
    const matches = this.#matches!;
    while (this.#scanned < end) {
      const stop = Math.min(end, this.#scanned + STRIDE);
      for (let index = this.#scanned; index < stop; index += 1) {
        if (matches(index)) this.#push(index);
      }
      this.#scanned = stop;
      if (performance.now() >= until) break;
    }
  }

  #push(index: number): void {
    if (this.#to === this.#rows.length) {
      const held = this.#rows.subarray(this.#from, this.#to);
      // much room in front means that shifting is enough
      const roomy = held.length < this.#rows.length / 2;
      const rows = roomy ? this.#rows : new Float64Array(Math.max(STRIDE, held.length * 2));
      rows.set(held);
      this.#rows = rows;
      this.#from = 0;
      this.#to = held.length;
    }
    this.#rows[this.#to] = index;
    this.#to += 1;
  }

  #compile({ levels, nodeIds, text }: LogFilter): ((index: number) => boolean) | undefined {
    const ring = this.#ring;
    const tests: ((index: number) => boolean)[] = [];
    if (levels !== undefined && levels.length < LEVELS.length) {
      const wanted = LEVELS.map((level) => levels.includes(level));
      tests.push((index) => wanted[ring.level(index)]!);
    }
    if (nodeIds !== undefined && nodeIds.length > 0) {
      const wanted = new Set(nodeIds.map((nodeId) => ring.nodeNumber(nodeId)));
      tests.push((index) => wanted.has(ring.node(index)));
    }
    if (text) tests.push(ring.having(text));
    if (tests.length === 0) return undefined;
    return (index) => tests.every((test) => test(index));
  }
}
