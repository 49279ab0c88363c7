/** What numbers and times look like, everywhere the same. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * `640 ms`, `4.2 s`, `42 s`, `3 m 04 s`, `2 h 03 m`, `3 d 4 h`.
 * @param whole whole seconds only, for a duration that ticks.
 */
export function formatDuration(ms: number, whole = false): string {
  const value = Math.max(0, ms);
  if (value < MINUTE) {
    if (whole) return `${Math.floor(value / SECOND)} s`;
    if (value < SECOND) return `${Math.round(value)} ms`;
    if (value < 9_950) return `${(value / SECOND).toFixed(1)} s`;
    return `${Math.min(59, Math.round(value / SECOND))} s`;
  }
  if (value < HOUR) {
    return `${Math.floor(value / MINUTE)} m ${two(Math.floor((value % MINUTE) / SECOND))} s`;
  }
  if (value < DAY) {
    return `${Math.floor(value / HOUR)} h ${two(Math.floor((value % HOUR) / MINUTE))} m`;
  }
  return `${Math.floor(value / DAY)} d ${Math.floor((value % DAY) / HOUR)} h`;
}

/** `now`, `12 s ago`, `3 min ago`, `5 h ago`, then `14 Mar` or `14 Mar 2025`. */
export function formatAgo(at: number, now: number): string {
  const ago = now - at;
  if (ago < 2 * SECOND) return "now";
  if (ago < MINUTE) return `${Math.floor(ago / SECOND)} s ago`;
  if (ago < HOUR) return `${Math.floor(ago / MINUTE)} min ago`;
  if (ago < DAY) return `${Math.floor(ago / HOUR)} h ago`;
  const date = new Date(at);
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    ...(sameYear ? {} : { year: "numeric" }),
  });
}

/** `14 Mar 2026, 09:05:03`, in the reader's time zone. */
export function formatMoment(at: number): string {
  return new Date(at).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
}

/** `09:05:03` */
export function formatClock(at: number): string {
  return new Date(at).toLocaleTimeString("en-GB");
}

/** `812 B`, `64.0 KiB`, `2.3 MiB` */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** `12,345` */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** `1 line`, `12,345 lines` */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
