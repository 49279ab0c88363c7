import { type Layout, NODE, type Point } from "./layout/types";
import type { Shape } from "./shape";

export type Arrow = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

const AIMS: Readonly<Record<Arrow, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};
/** How much farther something aside seems than something ahead. */
const ASIDE = 2.5;

/** The node that an arrow key leads to: the nearest that way, one with an edge to it first. */
export function neighbour(shape: Shape, layout: Layout, from: number, arrow: Arrow): number | null {
  const aim = AIMS[arrow];
  const origin = layout.nodes[from];
  const node = shape.nodes[from];
  if (origin === undefined || node === undefined) return null;
  const linked = new Set([
    ...node.incoming.map((edge) => shape.edges[edge]!.source),
    ...node.outgoing.map((edge) => shape.edges[edge]!.target),
  ]);
  let best: number | null = null;
  let least = Number.POSITIVE_INFINITY;
  layout.nodes.forEach(({ x, y }, index) => {
    const dx = x - origin.x;
    const dy = y - origin.y;
    const ahead = dx * aim.x + dy * aim.y;
    const size = aim.x === 0 ? NODE.height : NODE.width;
    if (index === from || ahead < size / 2) return;
    const aside = Math.abs(dx * aim.y + dy * aim.x);
    const distance = (ahead + ASIDE * aside) / (linked.has(index) ? 4 : 1);
    if (distance < least) {
      least = distance;
      best = index;
    }
  });
  return best;
}
