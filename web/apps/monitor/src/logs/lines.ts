import type { LogRow } from "@runroom/core";
import { type ErrorInfo, type EventOf, errorInfo, type Level, type Runroom } from "@runroom/core";

/** Rows in the order of their indexes, as the core's `LogView` has them: what a window shows. */
export interface Lines {
  readonly length: number;
  /** Undefined: dropped meanwhile. */
  at(position: number): LogRow | undefined;
  indexAt(position: number): number;
  /** The position of a row, by its index, or of the next row that is there. */
  positionOf(index: number): number;
  /** How many rows have at most this seq. */
  countUpTo(seq: number): number;
}

export interface StoredFilter {
  readonly levels: readonly Level[];
  readonly nodeIds: readonly string[];
  readonly text: string;
}

const PAGE = 500;
/** Pages that are read in a row while nothing in them passes. */
const MOST_EMPTY = 20;

/** Lines that the server has and the page has not, page by page; a row's index is its seq. */
export class StoredLines implements Lines {
  readonly #runroom: Runroom;
  readonly #executionId: string;
  readonly #filter: StoredFilter;
  readonly #changed: () => void;
  readonly #rows: LogRow[] = [];
  #after: number | null;
  #closed = false;

  loading = false;
  error: ErrorInfo | null = null;

  /**
   * Args:
   *   after: lines with a greater seq.
   *   changed: called when there is something new to show.
   */
  constructor(
    runroom: Runroom,
    executionId: string,
    filter: StoredFilter,
    after: number,
    changed: () => void,
  ) {
    this.#runroom = runroom;
    this.#executionId = executionId;
    this.#filter = filter;
    this.#after = after;
    this.#changed = changed;
  }

  get length(): number {
    return this.#rows.length;
  }

  /** The server has more. */
  get more(): boolean {
    return this.#after !== null;
  }

  at(position: number): LogRow | undefined {
    return this.#rows[position];
  }

  indexAt(position: number): number {
    return this.#rows[position]!.index;
  }

  positionOf(index: number): number {
    return firstOf(this.#rows.length, (position) => this.indexAt(position) >= index);
  }

  countUpTo(seq: number): number {
    return this.positionOf(seq + 1);
  }

  /** Read the next page; an error is kept in `error`. */
  async read(): Promise<void> {
    if (this.loading || this.#after === null) return;
    this.loading = true;
    this.error = null;
    this.#changed();
    try {
      for (let page = 0; page < MOST_EMPTY && this.#after !== null; page += 1) {
        const before = this.length;
        await this.#page(this.#after);
        if (this.#closed) return;
        if (this.length > before) break;
      }
    } catch (error) {
      this.error = errorInfo(error);
    }
    this.loading = false;
    if (!this.#closed) this.#changed();
  }

  close(): void {
    this.#closed = true;
  }

  async #page(after: number): Promise<void> {
    const { levels, nodeIds, text } = this.#filter;
    const [nodeId, ...others] = nodeIds;
    const { events, nextAfter } = await this.#runroom.api.executions.logs(this.#executionId, {
      after,
      limit: PAGE,
      ...(levels.length > 0 && { levels }),
      // the server takes one node only
      ...(nodeId !== undefined && others.length === 0 && { nodeId }),
      ...(text !== "" && { text }),
    });
    this.#after = nextAfter;
    for (const event of events) {
      if (nodeIds.length === 0 || nodeIds.includes(event.log.nodeId ?? "")) {
        this.#rows.push(rowOf(event));
      }
    }
  }
}

function rowOf({ seq, log }: EventOf<"log">): LogRow {
  return {
    index: seq,
    seq,
    id: log.id,
    time: Date.parse(log.createdAt),
    level: log.level,
    nodeId: log.nodeId ?? null,
    message: log.message,
    metadata: log.metadata ?? undefined,
  };
}

/** The first of 0 … `length` − 1 for which it holds, if it holds for all after it; else `length`. */
export function firstOf(length: number, holds: (position: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The position of the row with this very seq; null if it is not among the first `count`. */
export function positionOfSeq(lines: Lines, count: number, seq: number): number | null {
  const position = lines.countUpTo(seq) - 1;
  return position >= 0 && position < count && lines.at(position)?.seq === seq ? position : null;
}
