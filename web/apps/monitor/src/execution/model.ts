import {
  type ExecutionSnapshot,
  type ExecutionState,
  type ExecutionStore,
  isOnline,
  type NodeState,
  type Replay,
  type ReplaySnapshot,
  type Timeline,
  type Watchable,
} from "@runroom/core";
import {
  type ComputedRef,
  computed,
  getCurrentScope,
  type InjectionKey,
  inject,
  type MaybeRefOrGetter,
  onScopeDispose,
  provide,
  type ShallowRef,
  shallowRef,
  toValue,
  watch,
} from "vue";
import type { View } from "./view";

/** One execution as it is to be shown: live, or as it was at a replay's moment. */
export interface ExecutionModel {
  readonly executionId: string;
  /** Always live. */
  readonly store: ExecutionStore;
  readonly snapshot: Readonly<ShallowRef<ExecutionSnapshot>>;
  readonly state: ComputedRef<ExecutionState | null>;
  /** Where the replay stands; null: live. */
  readonly seq: ComputedRef<number | null>;
  readonly timeline: ComputedRef<Timeline>;
  /** Moves whenever bars change: the timeline itself stays the same object. */
  readonly timelineVersion: ComputedRef<number>;
  /** The replay's moment, epoch ms; null: live. */
  readonly time: ComputedRef<number | null>;
  /** Since when no news comes, epoch ms; null: it does. */
  readonly cut: ComputedRef<number | null>;
  /** The server's clock − ours, ms. */
  readonly clockOffset: ComputedRef<number>;
  readonly replay: Readonly<ShallowRef<Replay | null>>;
  readonly replayed: Readonly<ShallowRef<ReplaySnapshot | null>>;
  /** Called at most once a frame with the nodes that changed; ends with the caller's scope. */
  onChange(listener: (nodes: ReadonlySet<string>) => void): () => void;
  startReplay(seq?: number): void;
  stopReplay(): void;
}

const MODEL: InjectionKey<ExecutionModel> = Symbol("execution");

/** Watches the execution until the caller's scope ends; the replay follows the address. */
export function createModel(source: Watchable, executionId: string, view: View): ExecutionModel {
  const { store, release } = source.watch(executionId);
  const snapshot = shallowRef(store.getSnapshot());
  const replay = shallowRef<Replay | null>(null);
  const replayed = shallowRef<ReplaySnapshot | null>(null);
  const ready = shallowRef(false);
  const listeners = new Set<(nodes: ReadonlySet<string>) => void>();
  let endReplay = (): void => {};

  function tell(nodes: ReadonlySet<string>): void {
    if (nodes.size === 0) return;
    for (const listener of listeners) listener(nodes);
  }

  function tellAll(): void {
    tell(new Set(Object.keys(state.value?.nodes ?? snapshot.value.state?.nodes ?? {})));
  }

  onScopeDispose(
    store.subscribe((change) => {
      snapshot.value = store.getSnapshot();
      if (replay.value === null) tell(change.nodes);
    }),
  );
  onScopeDispose(release);

  function open(seq: number): void {
    const made = source.replay(executionId);
    const undo = made.subscribe(() => {
      replayed.value = made.getSnapshot();
      if (!ready.value) return;
      const { playing, seq: now, dirtyNodes } = made.getSnapshot();
      tell(dirtyNodes);
      if (!playing) view.set({ seq: now });
    });
    endReplay = () => {
      undo();
      made.close();
      ready.value = false;
      replay.value = replayed.value = null;
      endReplay = () => {};
    };
    replay.value = made;
    replayed.value = made.getSnapshot();
    void made.load().then(() => {
      if (replay.value !== made) return;
      made.seek(view.state.seq ?? seq);
      ready.value = made.getSnapshot().error === null;
      tellAll();
    });
  }

  watch(
    () => view.state.seq,
    (seq) => {
      if (seq === null) {
        if (replay.value === null) return;
        endReplay();
        tellAll();
      } else if (replay.value === null) {
        open(seq);
      } else {
        const { playing, loading, seq: now } = replay.value.getSnapshot();
        if (!playing && !loading && seq !== now) replay.value.seek(seq);
      }
    },
    { immediate: true },
  );
  onScopeDispose(() => endReplay());

  // while it is read, the end of what was read would flash by
  const replaying = computed(() => ready.value && replayed.value?.state != null);
  const state = computed(() =>
    replaying.value ? (replayed.value?.state ?? null) : snapshot.value.state,
  );
  return {
    executionId,
    store,
    snapshot,
    state,
    seq: computed(() => (replaying.value ? (replayed.value?.seq ?? null) : view.state.seq)),
    timeline: computed(() => (replaying.value && replay.value?.timeline) || store.timeline),
    timelineVersion: computed(() => {
      void snapshot.value;
      return ((replaying.value && replay.value?.timeline) || store.timeline).version;
    }),
    time: computed(() => (replaying.value ? (replayed.value?.time ?? null) : null)),
    cut: computed(() => {
      const { state: word, lostAt, since } = snapshot.value.connection;
      return isOnline(word) ? null : (lostAt ?? since);
    }),
    clockOffset: computed(() => snapshot.value.connection.clockOffset),
    replay,
    replayed,
    onChange(listener) {
      listeners.add(listener);
      const undo = () => void listeners.delete(listener);
      if (getCurrentScope()) onScopeDispose(undo);
      return undo;
    },
    startReplay: (seq = 0) => view.set({ seq }),
    stopReplay: () => view.set({ seq: null }),
  };
}

export function provideModel(model: ExecutionModel): void {
  provide(MODEL, model);
}

export function useExecution(): ExecutionModel {
  const model = inject(MODEL);
  if (model === undefined) throw new Error("no execution was provided");
  return model;
}

/** One node, live or replayed; undefined if there is none of that id. */
export function useNode(
  nodeId: MaybeRefOrGetter<string | null>,
): ComputedRef<NodeState | undefined> {
  const { state } = useExecution();
  return computed(() => {
    const id = toValue(nodeId);
    const nodes = state.value?.nodes;
    return id !== null && nodes !== undefined && Object.hasOwn(nodes, id) ? nodes[id] : undefined;
  });
}
