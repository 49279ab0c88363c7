export { RunroomProvider, type RunroomProviderProps, useRunroom } from "./client";
export {
  AgentNode,
  BaseNode,
  type BaseNodeProps,
  createNodeTypes,
  type HandleComponent,
  OutputNode,
  ToolNode,
  TriggerNode,
  type WorkflowNodeData,
} from "./components/BaseNode";
export {
  ConnectionIndicator,
  type ConnectionIndicatorProps,
} from "./components/ConnectionIndicator";
export { ExecutionLogViewer, type ExecutionLogViewerProps } from "./components/ExecutionLogViewer";
export type { NodeKind } from "./components/icons";
export {
  RealtimeExecutionVisualizer,
  type RealtimeExecutionVisualizerProps,
} from "./components/RealtimeExecutionVisualizer";
export {
  RealtimeMonitoringDemo,
  type RealtimeMonitoringDemoProps,
} from "./components/RealtimeMonitoringDemo";
export {
  type MonitoredExecution,
  WorkflowExecutionMonitor,
  type WorkflowExecutionMonitorProps,
} from "./components/WorkflowExecutionMonitor";
export { type ExecutionLog, LOG_LIMIT } from "./entries";
export type { ExecutionMessage } from "./messages";
export { VISUALS, type Visual, type VisualStatus, visualStatusOf } from "./status";
export { type ConnectionStatus, type UseConnection, useConnection } from "./useConnection";
export { type UseExecutionOptions, useExecution } from "./useExecution";
export { type UseWebSocketLogs, useWebSocketLogs } from "./useWebSocketLogs";
export {
  type NodeExecution,
  type NodeLike,
  type SetNodes,
  type UseWorkflowExecution,
  useWorkflowExecution,
} from "./useWorkflowExecution";
