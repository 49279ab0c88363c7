import type { ConnectionSnapshot } from "../connection/options";
import type { ExecutionState, ExecutorPresence, Presence, Reset } from "../contract/contract.gen";
import type { ErrorInfo } from "../contract/errors";
import type { Event } from "../contract/types";

/** Where an execution's events come from: the server, or the simulator. */
export interface Source {
  /** Every event with seq > `after`, each once and in order, until the stream is closed. */
  open(executionId: string, sink: Sink, after: number): Stream;
  /** @throws RunroomError */
  snapshot(executionId: string): Promise<ExecutionState>;
  readonly connection: {
    subscribe(listener: () => void): () => void;
    getSnapshot(): ConnectionSnapshot;
  };
}

export interface Stream {
  /** Begin again after this seq. */
  restart(after: number): void;
  close(): void;
}

/** Who takes the events. */
export interface Sink {
  /** Before the events: the snapshot at `head`, or null if it is too long to be sent along. */
  started(snapshot: ExecutionState | null, head: number): void;
  event(event: Event): void;
  /** `ahead`: all events from seq 1 follow. `deleted`: nothing follows. */
  reset(reason: Reset["reason"]): void;
  presence(presence: Presence): void;
  executor(executor: ExecutorPresence): void;
  /** The stream has ended: the server refuses it. */
  failed(error: ErrorInfo): void;
}
