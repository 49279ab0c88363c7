const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Steps that people count in. */
const STEPS: readonly number[] = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 28].map((n) => n * DAY),
];

export interface Tick {
  /** Since the start, ms. */
  readonly at: number;
  readonly label: string;
}

/** At most `most` marks from 0 on, the last one within `length`. */
export function ticksOf(length: number, most: number): Tick[] {
  const least = length / Math.max(1, most);
  const step = STEPS.find((each) => each >= least) ?? Math.ceil(least / DAY) * DAY;
  const ticks: Tick[] = [];
  for (let at = 0; at <= length; at += step) ticks.push({ at, label: labelOf(at, step) });
  return ticks;
}

/** As exact as the step is: `0`, `250 ms`, `1.5 s`, `2:30`, `1:05 h`, `3 d`. */
function labelOf(at: number, step: number): string {
  if (at === 0) return "0";
  if (at < SECOND) return `${at} ms`;
  if (at < MINUTE)
    return `${step % SECOND === 0 ? at / SECOND : (at / SECOND).toFixed(digits(step))} s`;
  if (at < HOUR) {
    const seconds = (at % MINUTE) / SECOND;
    const whole = step % SECOND === 0;
    const shown = whole
      ? two(seconds)
      : seconds.toFixed(digits(step)).padStart(3 + digits(step), "0");
    return `${Math.floor(at / MINUTE)}:${shown}`;
  }
  if (at < DAY) return `${Math.floor(at / HOUR)}:${two(Math.floor((at % HOUR) / MINUTE))} h`;
  const hours = Math.floor((at % DAY) / HOUR);
  return `${Math.floor(at / DAY)} d${hours > 0 ? ` ${hours} h` : ""}`;
}

function digits(step: number): number {
  if (step % 100 === 0) return 1;
  return step % 10 === 0 ? 2 : 3;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
