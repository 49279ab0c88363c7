import { type ErrorInfo, errorInfo, type Runroom, type Stats } from "@runroom/core";
import { onScopeDispose, type ShallowRef, shallowRef } from "vue";
import type { Point } from "./series";

/** What the server said of itself at a time; null: it did not answer. */
export interface Sample {
  readonly time: number;
  readonly stats: Stats | null;
}

/** An hour of samples that are two seconds apart. */
const MOST = 1_800;
const EVERY_MS = 2_000;
/** From here on a line is broken. */
export const GAP_MS = 3 * EVERY_MS;

/** The server keeps no history: what was read stays as long as the page does. */
const kept = new WeakMap<Runroom, readonly Sample[]>();

export function withSample(samples: readonly Sample[], sample: Sample, most = MOST): Sample[] {
  return [...samples.slice(Math.max(0, samples.length + 1 - most)), sample];
}

export function pointsOf(
  samples: readonly Sample[],
  value: (stats: Stats) => number | null | undefined,
): Point[] {
  return samples.map(({ time, stats }) => ({
    time,
    value: stats === null ? null : (value(stats) ?? null),
  }));
}

export interface StatsReader {
  readonly samples: Readonly<ShallowRef<readonly Sample[]>>;
  readonly error: Readonly<ShallowRef<ErrorInfo | null>>;
  read(): Promise<void>;
}

/** Reads the server's figures again and again while the tab is seen. */
export function useStats(runroom: Runroom): StatsReader {
  const samples = shallowRef<readonly Sample[]>(kept.get(runroom) ?? []);
  const error = shallowRef<ErrorInfo | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  let reading = false;

  async function read(): Promise<void> {
    if (reading) return;
    reading = true;
    clearTimeout(timer);
    let stats: Stats | null = null;
    try {
      stats = await runroom.api.stats();
      error.value = null;
    } catch (caught) {
      error.value = errorInfo(caught);
    }
    reading = false;
    if (ended) return;
    samples.value = withSample(samples.value, { time: Date.now(), stats });
    kept.set(runroom, samples.value);
    timer = setTimeout(poll, EVERY_MS);
  }

  function poll(): void {
    if (!document.hidden) void read();
  }

  document.addEventListener("visibilitychange", poll);
  onScopeDispose(() => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", poll);
  });
  void read();
  return { samples, error, read };
}
