import type { ExecutionStatus, NodeStatus } from "@runroom/core";

/** The visualizer's words for a node. */
export type VisualStatus = "idle" | "pending" | "running" | "success" | "error" | "skipped";

export interface Visual {
  readonly color: string;
  /** A class of `realtime-visualizer.css`. */
  readonly animation: "pulse-running" | "pulse-error" | null;
}

export const VISUALS: Record<VisualStatus, Visual> = {
  idle: { color: "#9ca3af", animation: null },
  pending: { color: "#9ca3af", animation: null },
  running: { color: "#3b82f6", animation: "pulse-running" },
  success: { color: "#10b981", animation: null },
  error: { color: "#ef4444", animation: "pulse-error" },
  skipped: { color: "#f59e0b", animation: null },
};

/** A cancelled node is an `error` whose text says that it was cancelled. */
const WORDS: Record<NodeStatus, VisualStatus> = {
  pending: "pending",
  running: "running",
  completed: "success",
  failed: "error",
  cancelled: "error",
  skipped: "skipped",
};

/** The word that a reader sees; `data.status` may come from the caller, in either vocabulary. */
export const LABELS: Record<string, string> = {
  idle: "Idle",
  pending: "Pending",
  running: "Running",
  completed: "Completed",
  success: "Completed",
  failed: "Failed",
  error: "Failed",
  cancelled: "Cancelled",
  skipped: "Skipped",
};

export const EMOJI: Record<ExecutionStatus, string> = {
  pending: "⏳",
  running: "🔄",
  completed: "✅",
  failed: "❌",
  cancelled: "🚫",
};

/** The visualizer's word for a status in either vocabulary; undefined: nothing is known of it. */
export function visualStatusOf(status: string | undefined): VisualStatus {
  if (status === undefined) return "idle";
  if (Object.hasOwn(VISUALS, status)) return status as VisualStatus;
  return Object.hasOwn(WORDS, status) ? WORDS[status as NodeStatus] : "idle";
}
