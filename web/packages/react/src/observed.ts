import type { ExecutionStore, Watchable, WatchOptions } from "@runroom/core";
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";

/** What a hook shows of a store; the same value until a flush has changed it. */
export interface View<T> {
  readonly empty: T;
  take(store: ExecutionStore): T;
}

/** A watch that lives for as long as somebody listens: what `useSyncExternalStore` asks for. */
class Observed<T> {
  readonly #client: Watchable;
  readonly #executionId: string | null;
  readonly #view: View<T>;
  readonly #options: WatchOptions;
  #value: T;

  constructor(client: Watchable, id: string | null, view: View<T>, options: WatchOptions) {
    this.#client = client;
    this.#executionId = id;
    this.#view = view;
    this.#options = options;
    this.#value = view.empty;
  }

  subscribe = (listener: () => void): (() => void) => {
    if (this.#executionId === null) return () => {};
    const { store, release } = this.#client.watch(this.#executionId, this.#options);
    const take = () => {
      this.#value = this.#view.take(store);
      listener();
    };
    const undo = store.subscribe(take);
    take();
    return () => {
      undo();
      release();
    };
  };

  getSnapshot = (): T => this.#value;
}

/** @param makeView called once for each client and execution. */
export function useObserved<T>(
  client: Watchable,
  executionId: string | null | undefined,
  makeView: () => View<T>,
  { history = true }: WatchOptions = {},
): T {
  const make = useRef(makeView);
  const observed = useMemo(
    () => new Observed(client, executionId || null, make.current(), { history }),
    [client, executionId, history],
  );
  return useSyncExternalStore(observed.subscribe, observed.getSnapshot, observed.getSnapshot);
}

/** Calls `changed` after each flush, and once at the beginning, without rendering for it. */
export function useChanges(
  client: Watchable,
  executionId: string | null | undefined,
  changed: (store: ExecutionStore) => void,
): void {
  const latest = useRef(changed);
  useEffect(() => {
    latest.current = changed;
  });
  useEffect(() => {
    if (!executionId) return;
    const { store, release } = client.watch(executionId, { history: false });
    const undo = store.subscribe(() => latest.current(store));
    latest.current(store);
    return () => {
      undo();
      release();
    };
  }, [client, executionId]);
}
