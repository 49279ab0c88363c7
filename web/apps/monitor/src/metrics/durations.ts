import {
  type ErrorInfo,
  type ExecutionState,
  errorInfo,
  isTerminal,
  type Kind,
  type Runroom,
} from "@runroom/core";
import { onScopeDispose, type ShallowRef, shallowRef } from "vue";

const KINDS: readonly Kind[] = ["trigger", "agent", "tool", "output"];
/** Executions that are looked at, the newest that have ended. */
export const MOST_EXECUTIONS = 30;
const AT_ONCE = 4;
/** Values from which on a percentile says something. */
const LEAST: Record<number, number> = { 0.5: 1, 0.9: 10, 0.99: 100 };

export interface KindDurations {
  readonly kind: Kind;
  readonly count: number;
  /** ms; null: too few values to say. */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** The value that a share of all values does not exceed (nearest rank); null: too few of them. */
export function percentile(sorted: readonly number[], share: number): number | null {
  if (sorted.length < (LEAST[share] ?? 1)) return null;
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

/** How long nodes took, from their start to their end with all tries, kind by kind. */
export function durationsOf(states: readonly ExecutionState[]): KindDurations[] {
  const nodes = states.flatMap((state) => Object.values(state.nodes));
  return KINDS.map((kind) => {
    const values = nodes
      .filter((node) => node.kind === kind && node.status === "completed")
      .flatMap(({ startedAt, endedAt }) =>
        // one that was taken over from another execution never started in this one
        startedAt === null || endedAt === null ? [] : Date.parse(endedAt) - Date.parse(startedAt),
      )
      .sort((a, b) => a - b);
    return {
      kind,
      count: values.length,
      p50: percentile(values, 0.5),
      p90: percentile(values, 0.9),
      p99: percentile(values, 0.99),
      max: values.at(-1) ?? null,
    };
  });
}

export interface DurationsReader {
  readonly states: Readonly<ShallowRef<readonly ExecutionState[] | null>>;
  readonly error: Readonly<ShallowRef<ErrorInfo | null>>;
  readonly loading: Readonly<ShallowRef<boolean>>;
  /** Executions that could not be read. */
  readonly missing: Readonly<ShallowRef<number>>;
  read(): Promise<void>;
}

/** The snapshots of the last executions that have ended. */
export function useDurations(runroom: Runroom): DurationsReader {
  const states = shallowRef<readonly ExecutionState[] | null>(null);
  const error = shallowRef<ErrorInfo | null>(null);
  const loading = shallowRef(false);
  const missing = shallowRef(0);
  let ended = false;
  onScopeDispose(() => {
    ended = true;
  });

  async function read(): Promise<void> {
    if (loading.value) return;
    loading.value = true;
    try {
      const { items } = await runroom.api.executions.list({ limit: 3 * MOST_EXECUTIONS });
      const wanted = items.filter((item) => isTerminal(item.status)).slice(0, MOST_EXECUTIONS);
      const ids = wanted.map((item) => item.executionId);
      const found: ExecutionState[] = [];
      const work = async (): Promise<void> => {
        for (let id = ids.shift(); id !== undefined && !ended; id = ids.shift()) {
          // one may be deleted meanwhile
          const state = await runroom.api.executions.get(id).catch(() => null);
          if (state !== null) found.push(state);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      if (ended) return;
      states.value = found;
      missing.value = wanted.length - found.length;
      error.value = null;
    } catch (caught) {
      error.value = errorInfo(caught);
    }
    loading.value = false;
  }

  void read();
  return { states, error, loading, missing, read };
}
