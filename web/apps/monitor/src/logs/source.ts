import type { LogFilter, Runroom } from "@runroom/core";
import {
  type ComputedRef,
  computed,
  onScopeDispose,
  type Ref,
  type ShallowRef,
  shallowRef,
  watch,
} from "vue";
import type { ExecutionModel } from "../execution/model";
import type { View } from "../execution/view";
import { type Lines, StoredLines } from "./lines";

/** Which lines are shown: those of the page, or older ones of the server. */
export interface LogSource {
  readonly lines: ComputedRef<Lines>;
  /** Moves whenever the lines have changed. */
  readonly version: Readonly<Ref<number>>;
  /** How many of them are shown: in a replay, those up to its moment. */
  readonly count: ComputedRef<number>;
  /** The lines with the text that is searched for; null: none is. */
  readonly hits: ComputedRef<{ readonly lines: Lines; readonly count: number } | null>;
  /** How far the filter has come, of 1; null: it is done. */
  readonly scanned: ComputedRef<number | null>;
  /** The server's lines, while they are what is shown. */
  readonly stored: Readonly<ShallowRef<StoredLines | null>>;
  openStored(after?: number): void;
  closeStored(): void;
}

/** The server is not asked for every letter. */
const TYPED_MS = 250;

export function useLogSource(
  { executionId, store, seq }: ExecutionModel,
  { state }: View,
  runroom: Runroom,
): LogSource {
  const version = shallowRef(0);
  const stored = shallowRef<StoredLines | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const changed = (): void => {
    version.value += 1;
  };

  function filterOf(text: string): LogFilter {
    return {
      // none chosen means all
      ...(state.levels.length > 0 && { levels: state.levels }),
      ...(state.logNodes.length > 0 && { nodeIds: state.logNodes }),
      ...(text !== "" && { text }),
    };
  }
  const finding = (): boolean => state.find && state.text !== "";
  const shownFilter = (): LogFilter => filterOf(state.find ? "" : state.text);

  const live = store.view(shownFilter());
  onScopeDispose(live.subscribe(changed));
  onScopeDispose(() => live.release());
  let found = finding() ? store.view(filterOf(state.text)) : null;
  let undo = found?.subscribe(changed);
  const forget = (): void => {
    undo?.();
    found?.release();
    found = null;
  };
  onScopeDispose(forget);

  watch(
    () => [state.levels.join(), state.logNodes.join(","), state.text, state.find].join("\n"),
    () => {
      live.setFilter(shownFilter());
      forget();
      if (finding()) {
        found = store.view(filterOf(state.text));
        undo = found.subscribe(changed);
      }
      clearTimeout(timer);
      if (stored.value !== null) timer = setTimeout(openStored, TYPED_MS);
      changed();
    },
  );

  function openStored(after = 0): void {
    clearTimeout(timer);
    stored.value?.close();
    const { levels, logNodes: nodeIds, text } = state;
    const filter = { levels, nodeIds, text };
    stored.value = new StoredLines(runroom, executionId, filter, after, changed);
    void stored.value.read();
  }

  function closeStored(): void {
    clearTimeout(timer);
    stored.value?.close();
    stored.value = null;
    changed();
  }
  onScopeDispose(() => {
    clearTimeout(timer);
    stored.value?.close();
  });

  const lines = computed<Lines>(() => stored.value ?? live);
  const countOf = (of: Lines): number => (seq.value === null ? of.length : of.countUpTo(seq.value));
  const count = computed(() => {
    void version.value;
    return countOf(lines.value);
  });
  return {
    lines,
    version,
    count,
    hits: computed(() => {
      void version.value;
      if (state.text === "") return null;
      const of = stored.value ?? found ?? live;
      return { lines: of, count: countOf(of) };
    }),
    scanned: computed(() => {
      void version.value;
      const slow = [live, found].find((each) => each?.scanning);
      return slow && stored.value === null ? slow.scanned / Math.max(1, store.logs.length) : null;
    }),
    stored,
    openStored,
    closeStored,
  };
}
