import { LEVELS } from "../contract/contract.gen";
import type { EventOf, Level } from "../contract/types";
import { Arena } from "./arena";
import { Columns } from "./columns";

export interface LogRow {
  /** 0, 1, 2 … over all lines that ever came; stays good while older ones are dropped. */
  readonly index: number;
  readonly seq: number;
  readonly id: string;
  /** Epoch ms. */
  readonly time: number;
  readonly level: Level;
  readonly nodeId: string | null;
  readonly message: string;
  readonly metadata: unknown;
}

export interface LogRingOptions {
  /** Lines. */
  capacity?: number;
  /** Of text: a few very long lines push out many short ones. */
  maxBytes?: number;
}

const FIRST_SIZE = 1_024;

/** The last lines of a log, in typed arrays; when it is full, the oldest give way. */
export class LogRing {
  readonly capacity: number;
  readonly maxBytes: number;
  readonly #columns = new Columns();
  readonly #arena = new Arena();
  readonly #nodeIds: string[] = [""];
  readonly #nodeNumbers = new Map<string, number>();
  #first = 0;
  #end = 0;
  #dropped = 0;

  constructor({ capacity = 200_000, maxBytes = 40 * 1024 * 1024 }: LogRingOptions = {}) {
    this.capacity = capacity;
    this.maxBytes = maxBytes;
  }

  /** The index of the oldest row that is there. */
  get first(): number {
    return this.#first;
  }

  /** The index that the next row will get. */
  get end(): number {
    return this.#end;
  }

  get length(): number {
    return this.#end - this.#first;
  }

  /** Lines that gave way to newer ones; the server has them. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Roughly what it takes of memory. */
  get bytes(): number {
    return this.#arena.bytes + this.#columns.size * 39;
  }

  append({ seq, executionId, log }: EventOf<"log">): void {
    const columns = this.#columns;
    if (this.length === this.capacity) this.#drop(1);
    else if (this.length === columns.size) this.#grow();
    const metadata = log.metadata == null ? "" : JSON.stringify(log.metadata);
    // the server's own form of an id is made again when it is read
    const id = log.id === `${executionId}:${seq}` ? "" : log.id;
    const slot = this.#end % columns.size;
    const { position, length } = this.#arena.write(log.message + metadata + id);
    columns.seq[slot] = seq;
    columns.time[slot] = Date.parse(log.createdAt);
    columns.level[slot] = LEVELS.indexOf(log.level);
    columns.node[slot] = log.nodeId == null ? 0 : this.nodeNumber(log.nodeId);
    columns.position[slot] = position;
    columns.metadata[slot] = byteLength(metadata);
    columns.id[slot] = byteLength(id);
    columns.message[slot] = length - columns.metadata[slot]! - columns.id[slot]!;
    this.#executionId = executionId;
    this.#end += 1;
    while (this.#arena.bytes > this.maxBytes && this.length > 1) {
      this.#drop(Math.max(1, this.length >> 6));
    }
  }

  /** @returns undefined if the row is not there: dropped, or not yet come. */
  row(index: number): LogRow | undefined {
    if (!this.has(index)) return undefined;
    const columns = this.#columns;
    const slot = index % columns.size;
    const seq = columns.seq[slot]!;
    const after = columns.position[slot]! + columns.message[slot]!;
    const metadata = this.#arena.read(after, columns.metadata[slot]!);
    const id = this.#arena.read(after + columns.metadata[slot]!, columns.id[slot]!);
    const node = columns.node[slot]!;
    return {
      index,
      seq,
      id: id || `${this.#executionId}:${seq}`,
      time: columns.time[slot]!,
      level: LEVELS[columns.level[slot]!]!,
      nodeId: node === 0 ? null : this.#nodeIds[node]!,
      message: this.message(index),
      metadata: metadata === "" ? undefined : JSON.parse(metadata),
    };
  }

  has(index: number): boolean {
    return index >= this.#first && index < this.#end;
  }

  /** A row's parts without the whole of it, for filters: the row must be there. */
  level(index: number): number {
    return this.#columns.level[index % this.#columns.size]!;
  }

  node(index: number): number {
    return this.#columns.node[index % this.#columns.size]!;
  }

  seq(index: number): number {
    return this.#columns.seq[index % this.#columns.size]!;
  }

  time(index: number): number {
    return this.#columns.time[index % this.#columns.size]!;
  }

  message(index: number): string {
    const slot = index % this.#columns.size;
    return this.#arena.read(this.#columns.position[slot]!, this.#columns.message[slot]!);
  }

  /** A test for rows whose message has this text in it, in any case. */
  having(text: string): (index: number) => boolean {
    const needle = text.toLowerCase();
    const inString = (index: number): boolean => this.message(index).toLowerCase().includes(needle);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
    if (!/^[\u0000-\u007f]+$/.test(needle)) return inString;
    const bytes = new TextEncoder().encode(needle);
    return (index) => {
      const slot = index % this.#columns.size;
      const position = this.#columns.position[slot]!;
      return this.#arena.includes(position, this.#columns.message[slot]!, bytes) ?? inString(index);
    };
  }

  /** The number that stands for a node's id; also for one that has not logged yet. */
  nodeNumber(nodeId: string): number {
    let number = this.#nodeNumbers.get(nodeId);
    if (number === undefined) {
      number = this.#nodeIds.push(nodeId) - 1;
      this.#nodeNumbers.set(nodeId, number);
    }
    return number;
  }

  /** The first row with at least this seq; `end` if there is none. */
  rowOfSeq(seq: number): number {
    return search(this.#first, this.#end, (index) => this.seq(index) >= seq);
  }

  /** Forget the lines. Indexes go on counting. */
  clear(): void {
    this.#first = this.#end;
    this.#dropped = 0;
    this.#arena.clear();
  }

  #executionId = "";

  #grow(): void {
    const size = Math.min(this.capacity, Math.max(FIRST_SIZE, this.#columns.size * 2));
    this.#columns.grow(size, this.#first, this.#end);
  }

  #drop(rows: number): void {
    this.#first += rows;
    this.#dropped += rows;
    const slot = this.#first % this.#columns.size;
    const gone = this.length === 0 ? this.#arena.end : this.#columns.position[slot]!;
    this.#arena.dropBefore(gone);
  }
}

/** The first of `from` … `to` − 1 for which it holds, if it holds for all after it; else `to`. */
export function search(from: number, to: number, holds: (index: number) => boolean): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Bytes in UTF-8, without encoding what is ASCII anyway. */
function byteLength(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x80) continue;
    if (code < 0x800) bytes += 1;
    else if (code >= 0xd800 && code < 0xdc00 && isLow(text.charCodeAt(index + 1))) {
      bytes += 2;
      index += 1;
    } else bytes += 2;
  }
  return bytes;
}

function isLow(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000;
}
