export { executionsApi } from "./api/executions";
export {
  activeRunroom,
  createRunroom,
  RECONNECTION,
  type RunroomPlugin,
  type RunroomPluginOptions,
  setActiveRunroom,
  useRunroom,
} from "./client";
export { ConnectionIndicator } from "./components/ConnectionIndicator";
export { ExecutionLogs, type ExecutionLogsProps } from "./components/ExecutionLogs";
export { ExecutionStatus, type ExecutionStatusProps } from "./components/ExecutionStatus";
export { type UseConnection, useConnection } from "./composables/useConnection";
export { type UseExecution, useExecution } from "./composables/useExecution";
export {
  type UseExecutionWebSocket,
  useExecutionWebSocket,
} from "./composables/useExecutionWebSocket";
export {
  type AnyEvents,
  type UseWebSocket,
  useWebSocket,
  type WebSocketOptions,
} from "./composables/useWebSocket";
export { LOG_LIMIT, useExecutionStore } from "./stores/execution";
export type { Execution, ExecutionLog } from "./stores/types";
export { ExecutionsView, type ExecutionsViewProps } from "./views/ExecutionsView";
