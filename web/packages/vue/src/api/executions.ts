import type { Accepted, ExecuteOptions } from "@runroom/core";
import { activeRunroom } from "../client";

/** Starting and stopping from anywhere; without a connection both wait for it. */
export const executionsApi = {
  /** @returns the new execution, once the server has taken it; its `id` is there to subscribe to. */
  execute: (request: ExecuteOptions): Promise<Accepted> => activeRunroom().execute(request),
  cancel: async (executionId: string): Promise<void> => {
    await activeRunroom().cancel(executionId);
  },
};
