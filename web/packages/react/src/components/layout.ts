import type { Graph, GraphNode } from "@runroom/core";

export const NODE_WIDTH = 210;
export const NODE_HEIGHT = 74;
const GAP_X = 56;
const GAP_Y = 22;

export interface Placed {
  readonly node: GraphNode;
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  readonly nodes: readonly Placed[];
  readonly edges: readonly { source: string; target: string; path: string }[];
  readonly width: number;
  readonly height: number;
}

/** Left to right: each node in the column behind the last of its sources. */
export function layoutOf({ nodes, edges }: Graph): Layout {
  const columns = new Map<number, number>();
  const depths = depthsOf(nodes, edges);
  const placed = nodes.map((node) => {
    const column = depths.get(node.id)!;
    const row = columns.get(column) ?? 0;
    columns.set(column, row + 1);
    return { node, x: column * (NODE_WIDTH + GAP_X), y: row * (NODE_HEIGHT + GAP_Y) };
  });
  const rows = Math.max(1, ...columns.values());
  const byId = new Map(placed.map((each) => [each.node.id, each]));
  return {
    nodes: placed,
    edges: edges.flatMap(({ source, target }) => {
      const [from, to] = [byId.get(source), byId.get(target)];
      return from && to ? [{ source, target, path: pathOf(from, to) }] : [];
    }),
    width: Math.max(1, columns.size) * (NODE_WIDTH + GAP_X) - GAP_X,
    height: rows * (NODE_HEIGHT + GAP_Y) - GAP_Y,
  };
}

/** In rounds, at most as many as there are nodes: a cycle ends it all the same. */
function depthsOf(nodes: Graph["nodes"], edges: Graph["edges"]): Map<string, number> {
  const depths = new Map(nodes.map(({ id }) => [id, 0]));
  for (let round = 1; round < nodes.length; round += 1) {
    let moved = false;
    for (const { source, target } of edges) {
      const depth = (depths.get(source) ?? -1) + 1;
      if (depth <= (depths.get(target) ?? depth) || depth >= nodes.length) continue;
      depths.set(target, depth);
      moved = true;
    }
    if (!moved) break;
  }
  return depths;
}

function pathOf(from: Placed, to: Placed): string {
  const [x1, y1] = [from.x + NODE_WIDTH, from.y + NODE_HEIGHT / 2];
  const [x2, y2] = [to.x, to.y + NODE_HEIGHT / 2];
  const bend = Math.max(GAP_X / 2, (x2 - x1) / 2);
  return `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`;
}
