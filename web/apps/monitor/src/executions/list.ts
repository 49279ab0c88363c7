import { type ErrorInfo, type ExecutionItem, errorInfo, type Runroom } from "@runroom/core";
import {
  type ComputedRef,
  computed,
  onScopeDispose,
  type Ref,
  type ShallowRef,
  shallowRef,
  watch,
} from "vue";
import { notice } from "../shell/notices";
import type { ListFilter } from "./filter";
import { useLive } from "./live";
import { extended, moving, NO_ROWS, type Rows, refreshed, searched } from "./rows";

const PAGE = 50;
/** Subscriptions for rows that move; the poll brings the rest. */
const MOST_LIVE = 40;
const POLL_MS = 1_000;
const SLOWEST_MS = 10_000;

export interface ExecutionList {
  readonly rows: ComputedRef<readonly ExecutionItem[]>;
  readonly loaded: ComputedRef<number>;
  readonly more: ComputedRef<boolean>;
  /** Nothing has come yet. */
  readonly loading: Readonly<ShallowRef<boolean>>;
  readonly error: Readonly<ShallowRef<ErrorInfo | null>>;
  /** When the server last answered, epoch ms. */
  readonly readAt: Readonly<ShallowRef<number | null>>;
  loadMore(): Promise<void>;
  refresh(): Promise<void>;
}

/** The list, kept true: the first page is polled while it is seen, rows that move are watched. */
export function useExecutionList(runroom: Runroom, filter: Ref<ListFilter>): ExecutionList {
  const held = shallowRef<Rows>(NO_ROWS);
  const loading = shallowRef(true);
  const error = shallowRef<ErrorInfo | null>(null);
  const readAt = shallowRef<number | null>(null);
  let every = POLL_MS;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  /** Of the filter: an answer to an older one is not shown. */
  let asked = 0;

  const live = useLive(runroom, () => moving(held.value.items, MOST_LIVE));
  const whole = computed(() =>
    held.value.items.map((item) => {
      const now = live.get(item.executionId);
      return now !== undefined && now.seq >= item.seq ? { ...item, ...now } : item;
    }),
  );
  watch(whole, (items) => items.forEach((item) => void notice(item)));

  function query(): { status?: NonNullable<ListFilter["status"]>; workflowId?: string } {
    const { status, workflowId } = filter.value;
    return { ...(status && { status }), ...(workflowId && { workflowId }) };
  }

  async function refresh(): Promise<void> {
    clearTimeout(timer);
    const number = asked;
    try {
      const page = await runroom.api.executions.list({ ...query(), limit: PAGE });
      if (ended || number !== asked) return;
      held.value = refreshed(held.value, page);
      error.value = null;
      readAt.value = Date.now();
      failures = 0;
    } catch (caught) {
      if (ended || number !== asked) return;
      error.value = errorInfo(caught);
      failures += 1;
    }
    loading.value = false;
    clearTimeout(timer);
    timer = setTimeout(poll, Math.min(SLOWEST_MS, every * 2 ** failures));
  }

  function poll(): void {
    if (!document.hidden) void refresh();
  }

  async function loadMore(): Promise<void> {
    const { cursor } = held.value;
    if (cursor === null) return;
    const number = asked;
    try {
      const page = await runroom.api.executions.list({ ...query(), limit: PAGE, cursor });
      if (!ended && number === asked) held.value = extended(held.value, page);
    } catch (caught) {
      error.value = errorInfo(caught);
    }
  }

  watch(
    () => [filter.value.status, filter.value.workflowId],
    () => {
      asked += 1;
      held.value = NO_ROWS;
      loading.value = true;
      void refresh();
    },
    { immediate: true },
  );
  void runroom.api.uiConfig().then(
    (config) => {
      every = config.refreshInterval;
    },
    () => {},
  );
  // what changed while the connection was gone, or the tab hidden, is wanted at once
  let online = runroom.connection.getSnapshot().state === "connected";
  onScopeDispose(
    runroom.connection.subscribe(() => {
      const now = runroom.connection.getSnapshot().state === "connected";
      if (now && !online) poll();
      online = now;
    }),
  );
  document.addEventListener("visibilitychange", poll);
  onScopeDispose(() => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", poll);
  });

  return {
    rows: computed(() => searched(whole.value, filter.value.text)),
    loaded: computed(() => held.value.items.length),
    more: computed(() => held.value.cursor !== null),
    loading,
    error,
    readAt,
    loadMore,
    refresh,
  };
}
