import type { ExecutionState, LogRow, Watch } from "@runroom/core";
import { type Execution, type ExecutionLog, executionOf } from "./types";

/** What a feed writes to. */
export interface Sheet {
  readonly limit: number;
  isCurrent(executionId: string): boolean;
  update(executionId: string, known: Partial<Execution>): void;
  updateNodeStatus(nodeId: string, status: string): void;
  addLogs(logs: ExecutionLog[]): void;
  clearLogs(): void;
}

/** Carries one execution over into the store, once a frame: each line once, in order. */
export class Feed {
  readonly #watch: Watch;
  readonly #sheet: Sheet;
  readonly #undo: () => void;
  /** The index of the next line to carry over. */
  #next = 0;
  /** The index of the first line since the lines were last begun anew. */
  #base = 0;
  #shown = false;
  #state: ExecutionState | null = null;

  constructor(watch: Watch, sheet: Sheet) {
    this.#watch = watch;
    this.#sheet = sheet;
    this.#undo = watch.store.subscribe(() => this.carry());
  }

  /** Carry over what has come since the last time. */
  carry(): void {
    const { executionId, logs } = this.#watch.store;
    const { state, error, dirtyNodes } = this.#watch.store.getSnapshot();
    const sheet = this.#sheet;
    const shown = sheet.isCurrent(executionId);
    const anew = shown && !this.#shown;
    this.#shown = shown;
    if (state !== null && (anew || state !== this.#state)) {
      sheet.update(executionId, executionOf(state));
    }
    this.#state = state;
    if (error !== null) sheet.update(executionId, { error: error.message });
    if (!shown) return;
    for (const nodeId of anew ? Object.keys(state?.nodes ?? {}) : dirtyNodes) {
      const node = state?.nodes[nodeId];
      if (node !== undefined) sheet.updateNodeStatus(nodeId, node.status);
    }
    const base = logs.first - logs.dropped;
    if (anew || base !== this.#base) {
      sheet.clearLogs();
      this.#next = base;
    }
    this.#base = base;
    this.#carryLogs();
  }

  end(): void {
    this.#undo();
    this.#watch.release();
  }

  #carryLogs(): void {
    const { logs } = this.#watch.store;
    const lines: ExecutionLog[] = [];
    const from = Math.max(this.#next, logs.first, logs.end - this.#sheet.limit);
    for (let index = from; index < logs.end; index += 1) lines.push(logOf(logs.row(index)!));
    this.#next = logs.end;
    if (lines.length > 0) this.#sheet.addLogs(lines);
  }
}

function logOf({ id, nodeId, level, message, metadata, time }: LogRow): ExecutionLog {
  return {
    id,
    ...(nodeId !== null && { nodeId }),
    level,
    message,
    ...(metadata !== undefined && { metadata }),
    createdAt: new Date(time),
  };
}
