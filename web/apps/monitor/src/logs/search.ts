import type { Lines } from "./lines";

/** Which hit comes next after a row (or before it), round the end; null: there is none. */
export function nextHit(
  hits: Lines,
  count: number,
  from: number | null,
  by: 1 | -1,
): number | null {
  if (count === 0) return null;
  if (from === null) return by === 1 ? 0 : count - 1;
  const after = Math.min(count, hits.positionOf(by === 1 ? from + 1 : from));
  const position = by === 1 ? after : after - 1;
  return (position + count) % count;
}

/** `3` of 12, if the row is a hit. */
export function ordinalOf(hits: Lines, count: number, index: number | null): number | null {
  if (index === null) return null;
  const position = hits.positionOf(index);
  return position < count && hits.indexAt(position) === index ? position + 1 : null;
}
