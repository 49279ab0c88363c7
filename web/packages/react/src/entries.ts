import type { ExecutionStore, Level, LogRow, NodeState } from "@runroom/core";
import type { View } from "./observed";

/** A line, or a node's end; what there is not is null. */
export interface ExecutionLog {
  id: string;
  execution_id: string;
  step_name: string;
  step_type: string | null;
  input_data: unknown;
  output_data: unknown;
  duration_ms: number | null;
  timestamp: string;
  error_message?: string | null;
  level: Level;
  /** What the line says, or how the node ended. */
  message: string;
}

interface Numbered {
  seq: number;
  entry: ExecutionLog;
}

/** The newest entries that are kept; the server has them all. */
export const LOG_LIMIT = 10_000;

const NONE: readonly ExecutionLog[] = [];

/** The lines of a store and the ends of its nodes, in the order in which they happened. */
export class Entries implements View<readonly ExecutionLog[]> {
  readonly empty = NONE;
  #store: ExecutionStore | undefined;
  /** The index of the first line since the lines were last begun anew. */
  #base = 0;
  #next = 0;
  readonly #ended = new Set<string>();
  #entries: readonly ExecutionLog[] = NONE;

  /** The same array until there are more. */
  take(store: ExecutionStore): readonly ExecutionLog[] {
    const { logs } = store;
    const base = logs.first - logs.dropped;
    if (store !== this.#store || base !== this.#base) this.#begin(store, base);
    const added = [...this.#rows(store), ...this.#ends(store)].sort((a, b) => a.seq - b.seq);
    if (added.length > 0) {
      const all = [...this.#entries, ...added.map(({ entry }) => entry)];
      this.#entries = all.slice(-LOG_LIMIT);
    }
    return this.#entries;
  }

  #begin(store: ExecutionStore, base: number): void {
    this.#store = store;
    this.#base = this.#next = base;
    this.#ended.clear();
    this.#entries = NONE;
  }

  *#rows(store: ExecutionStore): Generator<Numbered> {
    const { logs } = store;
    const from = Math.max(this.#next, logs.first, logs.end - LOG_LIMIT);
    this.#next = logs.end;
    for (let index = from; index < logs.end; index += 1) {
      const row = logs.row(index)!;
      yield { seq: row.seq, entry: ofRow(store, row) };
    }
  }

  *#ends(store: ExecutionStore): Generator<Numbered> {
    const { ends } = store.timeline;
    if (ends.size === this.#ended.size) return;
    for (const [nodeId, seq] of ends) {
      const node = store.getNode(nodeId);
      if (this.#ended.has(nodeId) || node === undefined) continue;
      this.#ended.add(nodeId);
      yield { seq, entry: ofNode(store.executionId, node, seq) };
    }
  }
}

function ofRow(store: ExecutionStore, row: LogRow): ExecutionLog {
  const { id, nodeId, level, message, metadata, time } = row;
  const node = nodeId === null ? undefined : store.getNode(nodeId);
  return {
    id,
    execution_id: store.executionId,
    step_name: node?.name ?? nodeId ?? "execution",
    step_type: node?.kind ?? null,
    input_data: null,
    output_data: metadata === undefined ? { message } : { message, metadata },
    duration_ms: null,
    timestamp: new Date(time).toISOString(),
    error_message: level === "error" ? message : null,
    level,
    message,
  };
}

function ofNode(executionId: string, node: NodeState, seq: number): ExecutionLog {
  const { nodeId, name, kind, status, output, durationMs, endedAt, error } = node;
  return {
    id: `${executionId}:${seq}`,
    execution_id: executionId,
    step_name: name || nodeId,
    step_type: kind,
    input_data: null,
    output_data: output,
    duration_ms: durationMs,
    timestamp: endedAt ?? "",
    error_message: error,
    level: status === "failed" ? "error" : status === "cancelled" ? "warning" : "info",
    message: error === null ? status : `${status}: ${error}`,
  };
}
