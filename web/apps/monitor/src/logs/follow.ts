import type { Lines } from "./lines";

/** Whether the end of the log is kept in sight; if not, from which row on nothing was seen yet. */
export interface Follow {
  readonly following: boolean;
  readonly unseen: number | null;
}

export type Move =
  /** The person scrolled, up or down; `seen`: the index after the last row in sight. */
  | {
      readonly type: "scrolled";
      readonly up: boolean;
      readonly atEnd: boolean;
      readonly seen: number;
    }
  /** Something else holds the eye: a marked line, a selection. */
  | { readonly type: "paused"; readonly seen: number }
  | { readonly type: "followed" };

export const FOLLOWING: Follow = { following: true, unseen: null };

export function follow(state: Follow, move: Move): Follow {
  switch (move.type) {
    case "followed":
      return FOLLOWING;
    case "paused":
      return state.following ? { following: false, unseen: move.seen } : state;
    case "scrolled": {
      if (state.following) return move.up ? { following: false, unseen: move.seen } : state;
      if (move.atEnd && !move.up) return FOLLOWING;
      const unseen = Math.max(state.unseen ?? 0, move.seen);
      return unseen === state.unseen ? state : { following: false, unseen };
    }
  }
}

/** How many of the first `count` lines came since the end was out of sight. */
export function newLines({ unseen }: Follow, lines: Lines, count: number): number {
  return unseen === null ? 0 : Math.max(0, count - lines.positionOf(unseen));
}
