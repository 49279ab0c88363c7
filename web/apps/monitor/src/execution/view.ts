import { LEVELS, type Level } from "@runroom/core";
import { type InjectionKey, inject, onScopeDispose, provide, reactive, readonly, watch } from "vue";
import { type LocationQuery, type LocationQueryRaw, useRoute, useRouter } from "vue-router";

export const TABS = ["graph", "logs", "timeline", "node", "result"] as const;
export type TabId = (typeof TABS)[number];

/** What of an execution is looked at. All of it stands in the address. */
export interface ViewState {
  tab: TabId;
  /** The selected node. */
  node: string | null;
  /** Where a replay stands; null: live. */
  seq: number | null;
  /** Log lines of these levels; empty: of all. */
  levels: readonly Level[];
  /** Log lines of these nodes; empty: of all. */
  logNodes: readonly string[];
  /** Log lines with this text. */
  text: string;
  /** All lines are shown, those with the text marked; else only those with the text. */
  find: boolean;
  /** The seq of a log line that is pointed at. */
  line: number | null;
  wrap: boolean;
  /** The graph as a table. */
  table: boolean;
}

interface Codec<T> {
  readonly name: string;
  read(text: string | undefined): T;
  /** Undefined: it need not be said. */
  write(value: T): string | undefined;
}

const CODECS: { [K in keyof ViewState]: Codec<ViewState[K]> } = {
  tab: {
    name: "tab",
    read: (text) => TABS.find((tab) => tab === text) ?? "logs",
    write: (tab) => (tab === "logs" ? undefined : tab),
  },
  node: { name: "node", read: (text) => text || null, write: (node) => node ?? undefined },
  seq: wholeNumber("seq"),
  levels: {
    name: "level",
    read: (text) => LEVELS.filter((level) => words(text).includes(level)),
    write: joined,
  },
  logNodes: { name: "in", read: words, write: joined },
  text: { name: "q", read: (text) => text ?? "", write: (text) => text || undefined },
  find: flag("find"),
  line: wholeNumber("line"),
  wrap: flag("wrap"),
  table: flag("table"),
};
const KEYS = Object.keys(CODECS) as (keyof ViewState)[];

export function readView(query: LocationQuery): ViewState {
  const read = <K extends keyof ViewState>(key: K): ViewState[K] => {
    const given = query[CODECS[key].name];
    return CODECS[key].read((Array.isArray(given) ? given[0] : given) ?? undefined);
  };
  return Object.fromEntries(KEYS.map((key) => [key, read(key)])) as unknown as ViewState;
}

/** The query of a view; what is not a view's own is kept. */
export function writeView(view: ViewState, others: LocationQuery = {}): LocationQueryRaw {
  const query: LocationQueryRaw = { ...others };
  const write = <K extends keyof ViewState>(key: K): void => {
    const text = CODECS[key].write(view[key]);
    if (text === undefined) delete query[CODECS[key].name];
    else query[CODECS[key].name] = text;
  };
  for (const key of KEYS) write(key);
  return query;
}

export interface View {
  readonly state: Readonly<ViewState>;
  /** Changes at once; the address follows a moment later. */
  set(patch: Partial<ViewState>, how?: "replace" | "push"): void;
  /** The whole URL of this view with a change: a permalink. */
  href(patch?: Partial<ViewState>): string;
}

const VIEW: InjectionKey<View> = Symbol("view");
/** Browsers refuse an address that changes too often. */
const FOLLOW_MS = 150;

export function provideViewState(): View {
  const route = useRoute();
  const router = useRouter();
  const state = reactive(readView(route.query)) as ViewState;
  const { name, params } = route;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const follow = (how: "replace" | "push"): void => {
    clearTimeout(timer);
    timer = undefined;
    // somebody may have left meanwhile
    if (route.name !== name || route.params.id !== params.id) return;
    void router[how]({ query: writeView(state, route.query), hash: route.hash });
  };
  watch(
    () => route.query,
    (query) => {
      if (timer === undefined && route.params.id === params.id)
        Object.assign(state, readView(query));
    },
  );
  onScopeDispose(() => clearTimeout(timer));

  const view: View = {
    state: readonly(state) as Readonly<ViewState>,
    set(patch, how = "replace") {
      const differs = (Object.keys(patch) as (keyof ViewState)[]).some(
        (key) => String(patch[key]) !== String(state[key]),
      );
      if (!differs) return;
      Object.assign(state, patch);
      if (how === "push") follow("push");
      else timer ??= setTimeout(() => follow("replace"), FOLLOW_MS);
    },
    href(patch = {}) {
      const query = writeView({ ...state, ...patch }, route.query);
      return new URL(router.resolve({ query }).href, location.origin).href;
    },
  };
  provide(VIEW, view);
  return view;
}

export function useViewState(): View {
  const view = inject(VIEW);
  if (view === undefined) throw new Error("no view state was provided");
  return view;
}

function wholeNumber(name: string): Codec<number | null> {
  return {
    name,
    read: (text) => (/^\d{1,15}$/.test(text ?? "") ? Number(text) : null),
    write: (value) => (value === null ? undefined : String(value)),
  };
}

function flag(name: string): Codec<boolean> {
  return { name, read: (text) => text === "1", write: (value) => (value ? "1" : undefined) };
}

function words(text: string | undefined): string[] {
  return text ? text.split(",").filter(Boolean) : [];
}

function joined(values: readonly string[]): string | undefined {
  return values.length > 0 ? values.join(",") : undefined;
}
