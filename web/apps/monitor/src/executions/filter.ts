import type { ExecutionStatus } from "@runroom/core";
import type { LocationQuery, LocationQueryRaw } from "vue-router";

/** What of the list is shown; all of it stands in the address. */
export interface ListFilter {
  readonly status: ExecutionStatus | null;
  readonly workflowId: string | null;
  readonly text: string;
}

export const STATUSES: readonly ExecutionStatus[] = [
  "running",
  "pending",
  "completed",
  "failed",
  "cancelled",
];

export function readFilter(query: LocationQuery): ListFilter {
  const { status, workflow, q } = query;
  return {
    status: STATUSES.find((each) => each === status) ?? null,
    workflowId: typeof workflow === "string" && workflow ? workflow : null,
    text: typeof q === "string" ? q : "",
  };
}

export function writeFilter(filter: ListFilter): LocationQueryRaw {
  return {
    ...(filter.status && { status: filter.status }),
    ...(filter.workflowId && { workflow: filter.workflowId }),
    ...(filter.text && { q: filter.text }),
  };
}
