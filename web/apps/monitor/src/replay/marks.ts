import type { Timeline } from "@runroom/core";

export type MarkKind = "start" | "end" | "failed";

/** A moment worth a stop: a node began, ended, or failed. */
export interface Mark {
  /** Epoch ms. */
  readonly time: number;
  readonly kind: MarkKind;
  readonly nodeId: string;
}

const RANK: Record<MarkKind, number> = { start: 0, end: 1, failed: 2 };

/** Every change of a node's status, in order of time. */
export function marksOf(timeline: Timeline): Mark[] {
  const marks: Mark[] = [];
  for (const nodeId of timeline.nodeIds) {
    for (const { startedAt, endedAt, status } of timeline.of(nodeId)) {
      marks.push({ time: Date.parse(startedAt), kind: "start", nodeId });
      if (endedAt === null) continue;
      const kind = status === "failed" ? "failed" : "end";
      marks.push({ time: Date.parse(endedAt), kind, nodeId });
    }
  }
  return marks.sort((a, b) => a.time - b.time);
}

/** As many marks as there is room for: of several at one place, the one that weighs most. */
export function placed(
  marks: readonly Mark[],
  from: number,
  to: number,
  places: number,
): { readonly at: number; readonly kind: MarkKind }[] {
  const kinds = new Map<number, MarkKind>();
  for (const { time, kind } of marks) {
    const share = to > from ? (time - from) / (to - from) : 0;
    const place = Math.round(Math.min(1, Math.max(0, share)) * places);
    const there = kinds.get(place);
    if (there === undefined || RANK[kind] > RANK[there]) kinds.set(place, kind);
  }
  return [...kinds].map(([place, kind]) => ({ at: place / places, kind }));
}

/** The next mark after a moment, or the last before it; null: there is none. */
export function nextMark(marks: readonly Mark[], time: number, by: 1 | -1): Mark | null {
  const found =
    by === 1 ? marks.find((mark) => mark.time > time) : marks.findLast((mark) => mark.time < time);
  return found ?? null;
}
