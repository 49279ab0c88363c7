import type { LogRow } from "@runroom/core";
import type { Lines } from "../../src/logs/lines";

/** Rows with these indexes; a row's seq is ten times its index. */
export function linesOf(
  indexes: readonly number[],
  message = (index: number) => `line ${index}`,
): Lines {
  const first = (holds: (position: number) => boolean): number => {
    const found = indexes.findIndex((_, position) => holds(position));
    return found < 0 ? indexes.length : found;
  };
  return {
    length: indexes.length,
    at: (position) => {
      const index = indexes[position];
      return index === undefined ? undefined : rowOf(index, message(index));
    },
    indexAt: (position) => indexes[position]!,
    positionOf: (index) => first((position) => indexes[position]! >= index),
    countUpTo: (seq) => first((position) => indexes[position]! * 10 > seq),
  };
}

export function rowOf(index: number, message: string, more: Partial<LogRow> = {}): LogRow {
  const seq = index * 10;
  const time = Date.parse("2026-01-31T12:00:00Z") + index * 1_000;
  const rest = { level: "info", nodeId: null, metadata: undefined } as const;
  return { index, seq, id: `${seq}`, time, message, ...rest, ...more };
}

export function upTo(end: number, first = 0): number[] {
  return Array.from({ length: end - first }, (_, n) => first + n);
}
