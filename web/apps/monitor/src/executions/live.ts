import {
  type ExecutionItem,
  type ExecutionState,
  isTerminal,
  type Watch,
  type Watchable,
} from "@runroom/core";
import { onScopeDispose, shallowReactive, watch } from "vue";

/** What a list shows of an execution, and what of it moves. */
export type Moving = Pick<
  ExecutionItem,
  "status" | "progress" | "startedAt" | "endedAt" | "error" | "executor" | "seq"
>;

/**
 * The present of executions by id, watched without their history. What has ended is let go, and its
 * last word kept until it is not wanted any more.
 */
export function useLive(
  source: Watchable,
  wanted: () => readonly string[],
): ReadonlyMap<string, Moving> {
  const live = shallowReactive(new Map<string, Moving>());
  const watches = new Map<string, { held: Watch; undo: () => void }>();

  function end(id: string): void {
    const found = watches.get(id);
    watches.delete(id);
    found?.undo();
    found?.held.release();
  }

  function begin(id: string): void {
    const held = source.watch(id, { history: false });
    const show = (): void => {
      const { state, executor } = held.store.getSnapshot();
      if (state === null) return;
      live.set(id, movingOf(state, executor));
      if (isTerminal(state.status)) queueMicrotask(() => end(id));
    };
    watches.set(id, { held, undo: held.store.subscribe(show) });
    show();
  }

  watch(
    wanted,
    (ids) => {
      const now = new Set(ids);
      for (const id of [...watches.keys()]) if (!now.has(id)) end(id);
      for (const id of [...live.keys()]) if (!now.has(id)) live.delete(id);
      for (const id of now) if (!watches.has(id) && !live.has(id)) begin(id);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    for (const id of [...watches.keys()]) end(id);
  });
  return live;
}

function movingOf(state: ExecutionState, executor: Moving["executor"]): Moving {
  const { status, progress, startedAt, endedAt, error, seq } = state;
  return { status, progress, startedAt, endedAt, error, seq, executor };
}
