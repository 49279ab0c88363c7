import type {
  ErrorEvent,
  ExecutionRecord,
  ExecutionState,
  ExecutorPresence,
  LogEvent,
  NodeStatusEvent,
  Presence,
  ProgressEvent,
  RefreshRequest,
  Reset,
  ResultEvent,
  StatusEvent,
  SubscribeRequest,
} from "./contract.gen";
import type { ErrorInfo } from "./errors";

/** One fact about an execution, as HTTP pages have it and the fold takes it. */
export type Event =
  | StatusEvent
  | NodeStatusEvent
  | LogEvent
  | ProgressEvent
  | ResultEvent
  | ErrorEvent;
export type EventType = Event["type"];
export type EventOf<T extends EventType> = Extract<Event, { type: T }>;
/** The argument of the Socket.IO event that is named by the event's type. */
export type Payload<T extends EventType = EventType> = T extends EventType
  ? Omit<EventOf<T>, "type">
  : never;
export type Level = LogEvent["log"]["level"];
export type Kind = "trigger" | "agent" | "tool" | "output";

/** Stands for an output, a result or an input of more than 64 KiB. */
export interface Preview {
  $preview: string;
  $size: number;
  $ref: string;
}

export function isPreview(value: unknown): value is Preview {
  return typeof value === "object" && value !== null && "$ref" in value && "$preview" in value;
}

export interface Batch {
  executionId: string;
  events: [EventType, Payload][];
}

/** A refused subscribe without a callback: told from the logged event by having no `seq`. */
export interface Refusal {
  executionId: string | null;
  error: string;
  code: string;
}

export type Answer<T = unknown> =
  | ({ ok: true } & T)
  | { ok: false; error: ErrorInfo & { retryAfterMs?: number } };
export type Ack<T> = (answer: Answer<T>) => void;

export interface Subscribed {
  executionId: string;
  head: number;
  /** The snapshot at `head`; null if it is longer than 256 KiB. */
  state: ExecutionState | null;
}

export interface ServerToClientEvents {
  status: (payload: Payload<"status">) => void;
  nodeStatus: (payload: Payload<"nodeStatus">) => void;
  log: (payload: Payload<"log">) => void;
  progress: (payload: Payload<"progress">) => void;
  result: (payload: Payload<"result">) => void;
  error: (payload: Payload<"error"> | Refusal) => void;
  batch: (batch: Batch) => void;
  presence: (presence: Presence) => void;
  executor: (executor: ExecutorPresence) => void;
  reset: (reset: Reset) => void;
  auth: (message: { code: string }) => void;
}

export interface ClientToServerEvents {
  subscribe: (request: string | SubscribeRequest, ack?: Ack<Subscribed>) => void;
  unsubscribe: (executionId: string, ack?: Ack<{ executionId: string }>) => void;
  ping: (echo: unknown, ack?: Ack<{ echo: unknown; serverTime: string }>) => void;
  refresh: (request: RefreshRequest, ack?: Ack<{ expiresAt: string | null }>) => void;
}

/** What was fixed when the execution was made, out of any snapshot. */
export function recordOf(state: ExecutionState): ExecutionRecord {
  return {
    executionId: state.executionId,
    workflowId: state.workflowId,
    workflowName: state.workflowName,
    graph: state.graph,
    input: state.input,
    owner: state.owner,
    priority: state.priority,
    retryOf: state.retryOf,
    createdAt: state.createdAt,
  };
}
