import { firstOf, type Lines } from "./lines";

/** Rows a block: blocks keep sums, so that a position costs blocks and not rows. */
const BLOCK = 256;

/** How much higher rows are than one line, by their indexes, of those that were measured. */
export class Heights {
  readonly #blocks = new Map<number, { sum: number; rows: Map<number, number> }>();

  get empty(): boolean {
    return this.#blocks.size === 0;
  }

  /** @returns whether that is news. */
  set(index: number, extra: number): boolean {
    const number = Math.floor(index / BLOCK);
    const block = this.#blocks.get(number) ?? { sum: 0, rows: new Map<number, number>() };
    const before = block.rows.get(index) ?? 0;
    if (before === extra) return false;
    if (extra === 0) block.rows.delete(index);
    else block.rows.set(index, extra);
    block.sum += extra - before;
    if (block.rows.size === 0) this.#blocks.delete(number);
    else this.#blocks.set(number, block);
    return true;
  }

  of(index: number): number {
    return this.#blocks.get(Math.floor(index / BLOCK))?.rows.get(index) ?? 0;
  }

  /** Of all rows before this one. */
  before(index: number): number {
    if (this.empty) return 0;
    const last = Math.floor(index / BLOCK);
    let sum = 0;
    for (const [number, block] of this.#blocks) {
      if (number < last) sum += block.sum;
      else if (number === last) {
        for (const [row, extra] of block.rows) if (row < index) sum += extra;
      }
    }
    return sum;
  }

  /** Rows before this one are gone. */
  dropBefore(index: number): void {
    for (const [number, block] of this.#blocks) {
      if ((number + 1) * BLOCK <= index) this.#blocks.delete(number);
      else if (number * BLOCK < index) {
        for (const row of [...block.rows.keys()]) if (row < index) this.set(row, 0);
      }
    }
  }

  clear(): void {
    this.#blocks.clear();
  }
}

/** The rows to draw: `first` … `end` − 1, the first of them `top` px from the beginning. */
export interface Span {
  readonly first: number;
  readonly end: number;
  readonly top: number;
}

/** A place in the log that stays the same while rows come and go around it. */
export interface Anchor {
  readonly index: number;
  /** px from the row's upper edge. */
  readonly delta: number;
}

/** Where each row lies: `row` px each, and more where more was measured. */
export class Layout {
  readonly lines: Lines;
  readonly count: number;
  readonly row: number;
  readonly heights: Heights;

  constructor(lines: Lines, count: number, row: number, heights: Heights) {
    this.lines = lines;
    this.count = Math.min(count, lines.length);
    this.row = row;
    this.heights = heights;
  }

  get total(): number {
    if (this.count === 0) return 0;
    const last = this.lines.indexAt(this.count - 1);
    return this.count * this.row + this.heights.before(last + 1);
  }

  /** The upper edge of the row at a position. */
  offset(position: number): number {
    if (position >= this.count) return this.total;
    if (this.heights.empty) return position * this.row;
    return position * this.row + this.heights.before(this.lines.indexAt(position));
  }

  /** The row that covers this y; the nearest one beyond the ends. */
  positionAt(y: number): number {
    if (this.count === 0) return 0;
    const found = this.heights.empty
      ? Math.floor(y / this.row)
      : firstOf(this.count, (position) => this.offset(position + 1) > y);
    return Math.min(this.count - 1, Math.max(0, found));
  }

  /** What is seen of it, and `beyond` rows more on both sides. */
  span(scrollTop: number, viewport: number, beyond = 0): Span {
    if (this.count === 0) return { first: 0, end: 0, top: 0 };
    const first = Math.max(0, this.positionAt(scrollTop) - beyond);
    const end = Math.min(this.count, this.positionAt(scrollTop + viewport) + 1 + beyond);
    return { first, end, top: this.offset(first) };
  }

  anchorAt(scrollTop: number): Anchor | null {
    if (this.count === 0) return null;
    const position = this.positionAt(scrollTop);
    return { index: this.lines.indexAt(position), delta: scrollTop - this.offset(position) };
  }

  /** Where to scroll to, to have the anchor where it was. */
  scrollTopOf({ index, delta }: Anchor): number {
    const position = this.lines.positionOf(index);
    const same = position < this.count && this.lines.indexAt(position) === index;
    return this.offset(position) + (same ? delta : 0);
  }

  /** Where to scroll to, to have a row in sight; null if it is. */
  scrollTopFor(
    position: number,
    scrollTop: number,
    viewport: number,
    where: "center" | "nearest",
  ): number | null {
    const top = this.offset(position);
    const height = this.offset(position + 1) - top;
    if (where === "center") return Math.max(0, top - Math.max(0, (viewport - height) / 2));
    if (top < scrollTop) return top;
    if (top + height > scrollTop + viewport) return Math.max(0, top + height - viewport);
    return null;
  }
}

/**
 * A name for each drawn row, so that rows that stay keep their elements. When none stays, the
 * names stay instead: then the same elements are filled anew.
 */
export class Names {
  #base = 0;
  #first = 0;
  #end = 0;

  /** Call it with the indexes of the first and the last row that are drawn, before `of`. */
  shift(first: number, last: number): void {
    if (first >= this.#end || last < this.#first) this.#base += first - this.#first;
    this.#first = first;
    this.#end = last + 1;
  }

  of(index: number): number {
    return index - this.#base;
  }
}
