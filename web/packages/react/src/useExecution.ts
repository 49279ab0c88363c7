import type { ExecutionSnapshot, WatchOptions } from "@runroom/core";
import { useRunroom } from "./client";
import { useObserved, type View } from "./observed";

export interface UseExecutionOptions extends WatchOptions {
  /** Default: the provider's server. */
  backendUrl?: string | undefined;
}

const SNAPSHOT: View<ExecutionSnapshot | null> = {
  empty: null,
  take: (store) => store.getSnapshot(),
};

/** An execution as it is; another object after each frame that changed something. */
export function useExecution(
  executionId: string | null | undefined,
  { backendUrl, ...options }: UseExecutionOptions = {},
): ExecutionSnapshot | null {
  return useObserved(useRunroom(backendUrl), executionId, () => SNAPSHOT, options);
}
