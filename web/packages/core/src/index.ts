export { Connection } from "./connection/connection";
export {
  CONNECTED,
  CONNECTION_DEFAULTS,
  type ConnectionOptions,
  type ConnectionSnapshot,
} from "./connection/options";
export { Outbox } from "./connection/outbox";
export { CONNECTION_MOVES, type ConnectionState, isOnline } from "./connection/states";
export { Subscriptions } from "./connection/subscriptions";
export { expiryOf, type TokenSource, Tokens } from "./connection/token";
export * from "./contract/contract.gen";
export * from "./contract/errors";
export * from "./contract/fold";
export * from "./contract/states";
export * from "./contract/types";
export {
  type Change,
  type Duration,
  durationOf,
  type ExecutionSnapshot,
  type Phase,
} from "./execution/snapshot";
export type { Sink, Source, Stream } from "./execution/source";
export { ExecutionStore, type StoreOptions } from "./execution/store";
export { Timeline, type Try } from "./execution/timeline";
export { serverUrl } from "./http/address";
export { Api } from "./http/api";
export type * from "./http/types";
export { LogRing, type LogRingOptions, type LogRow } from "./logs/ring";
export type { LogFilter, LogView } from "./logs/view";
export type { ReadHistory } from "./replay/history";
export { MAX_SPEED, MIN_SPEED, Replay, type ReplaySnapshot } from "./replay/replay";
export { Runroom, type RunroomOptions } from "./runroom";
export { Scheduler } from "./scheduler";
export { SAMPLE_WORKFLOW } from "./simulator/sample";
export { type SimulateRequest, Simulator, type SimulatorOptions } from "./simulator/simulator";
export type { Watch, Watchable, WatchOptions } from "./watch";
