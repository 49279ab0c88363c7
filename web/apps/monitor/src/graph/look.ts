import { isTerminal, type NodeState } from "@runroom/core";

/**
 * What an edge is drawn as. `waiting`: nothing has passed yet. `flowing`: its target runs on what
 * came over it. `passed`: its target ran on it. `maybe`: its target ran, and this edge's condition
 * may or may not have been why. `dead`: nothing will pass any more.
 */
export type EdgeLook = "waiting" | "flowing" | "passed" | "maybe" | "dead";

/** The part of a node that edges go by. */
export type End = Pick<NodeState, "status" | "startedAt">;

/** @param rivals how many other edges into the target have a source that completed. */
export function edgeLook(source: End, target: End, when: string | null, rivals: number): EdgeLook {
  if (source.status !== "completed") {
    return isTerminal(source.status) || never(target) ? "dead" : "waiting";
  }
  if (never(target)) return "dead";
  if (target.status === "pending") return "waiting";
  if (when !== null && rivals > 0) return "maybe";
  return target.status === "running" ? "flowing" : "passed";
}

/** It ended without having begun. */
function never({ status, startedAt }: End): boolean {
  return (
    status === "skipped" || (startedAt === null && isTerminal(status) && status !== "completed")
  );
}
