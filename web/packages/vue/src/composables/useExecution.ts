import type { ExecutionSnapshot, ExecutionStore, WatchOptions } from "@runroom/core";
import {
  type MaybeRefOrGetter,
  onScopeDispose,
  type ShallowRef,
  shallowRef,
  toValue,
  watch as watchRef,
} from "vue";
import { useRunroom } from "../client";

export interface UseExecution {
  /** Another object after each frame that changed something. */
  snapshot: Readonly<ShallowRef<ExecutionSnapshot | null>>;
  /** For log views, single nodes and the timeline. */
  store: Readonly<ShallowRef<ExecutionStore | null>>;
}

/** An execution as it is, for as long as the caller's scope lives and the id stays. */
export function useExecution(
  executionId: MaybeRefOrGetter<string | null | undefined>,
  options?: WatchOptions,
): UseExecution {
  const client = useRunroom();
  const snapshot = shallowRef<ExecutionSnapshot | null>(null);
  const store = shallowRef<ExecutionStore | null>(null);
  let end = () => {};
  watchRef(
    () => toValue(executionId),
    (id) => {
      end();
      snapshot.value = store.value = null;
      end = () => {};
      if (!id) return;
      const held = client.watch(id, options);
      const show = () => {
        snapshot.value = held.store.getSnapshot();
      };
      const undo = held.store.subscribe(show);
      store.value = held.store;
      show();
      end = () => {
        undo();
        held.release();
      };
    },
    { immediate: true, flush: "sync" },
  );
  onScopeDispose(() => end());
  return { snapshot, store };
}
