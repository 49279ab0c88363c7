import type { LocationQuery, LocationQueryRaw } from "vue-router";

/** Which executions are watched: those that are named, and perhaps all that run. */
export interface Tiles {
  readonly ids: readonly string[];
  readonly running: boolean;
}

/** Of each kind: more would be tiles that nobody reads. */
export const MOST_TILES = 24;

export function readTiles({ ids, running }: LocationQuery): Tiles {
  const named = typeof ids === "string" ? ids.split(",").filter(Boolean) : [];
  return { ids: [...new Set(named)].slice(0, MOST_TILES), running: running !== "0" };
}

export function writeTiles({ ids, running }: Tiles): LocationQueryRaw {
  return {
    ...(ids.length > 0 && { ids: ids.join(",") }),
    ...(!running && { running: "0" }),
  };
}

/**
 * The tiles to show, each at the place it had: what runs is added at the front, and what has ended
 * stays until it is put away, so that nothing jumps while somebody reads.
 */
export function arranged(
  shown: readonly string[],
  { ids, running }: Tiles,
  runningIds: readonly string[],
  dismissed: ReadonlySet<string>,
): string[] {
  const wanted = [...(running ? runningIds : []), ...ids].filter((id) => !dismissed.has(id));
  const fresh = wanted.filter((id) => !shown.includes(id));
  const kept = shown.filter((id) => !dismissed.has(id));
  return [...new Set([...fresh, ...kept])].slice(0, MOST_TILES);
}
