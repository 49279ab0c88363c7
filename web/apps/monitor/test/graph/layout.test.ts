import { describe, expect, test } from "vitest";
import { layout } from "../../src/graph/layout/layout";
import { type Direction, type LayoutRequest, NODE } from "../../src/graph/layout/types";

/** a → b → c → d, and a long way round from a to d. */
const CHAIN: LayoutRequest["edges"] = [
  [0, 1, 0],
  [1, 2, 0],
  [2, 3, 0],
  [0, 3, 0],
];

describe.each<Direction>(["LR", "TB"])("%s", (direction) => {
  const along = direction === "LR" ? "x" : "y";

  test("a target comes after its sources, and no two nodes overlap", () => {
    const edges: LayoutRequest["edges"] = Array.from({ length: 59 }, (_, at) => {
      const target = at + 1;
      return [Math.max(0, target - 1 - ((target * 7) % 5)), target, 0];
    });
    const { nodes } = layout({ direction, nodes: 60, edges });
    const least = direction === "LR" ? NODE.width : NODE.height;
    for (const [source, target] of edges) {
      expect(nodes[target]![along] - nodes[source]![along]).toBeGreaterThan(least);
    }
    for (const [at, one] of nodes.entries()) {
      for (const other of nodes.slice(at + 1)) {
        const apart =
          Math.abs(one.x - other.x) >= NODE.width || Math.abs(one.y - other.y) >= NODE.height;
        expect(apart).toBe(true);
      }
    }
  });

  test("an edge goes around the nodes that it passes", () => {
    const { nodes, edges } = layout({ direction, nodes: 4, edges: CHAIN });
    const past = edges[3]!;
    // flat beside the two in between: one line each
    const flats = [...past.path.matchAll(/L([\d.]+) ([\d.]+)/g)];
    expect(flats).toHaveLength(2);
    for (const [at, [, x, y]] of flats.entries()) {
      const beside = nodes[at + 1]!;
      const [across, size] = direction === "LR" ? ["y", NODE.height] : ["x", NODE.width];
      const where = Number(across === "y" ? y : x);
      const edge = beside[across as "x" | "y"];
      expect(where < edge || where > edge + (size as number)).toBe(true);
    }
    expect(edges[0]!.path).not.toContain("L");
  });

  test("a condition gets room between the nodes", () => {
    const plain = layout({ direction: "LR", nodes: 2, edges: [[0, 1, 0]] });
    const labelled = layout({ direction: "LR", nodes: 2, edges: [[0, 1, 180]] });
    expect(labelled.nodes[1]!.x - NODE.width).toBeGreaterThanOrEqual(180);
    expect(plain.nodes[1]!.x).toBeLessThan(labelled.nodes[1]!.x);
    const { middle } = labelled.edges[0]!;
    expect(middle.x).toBeGreaterThan(NODE.width);
    expect(middle.x).toBeLessThan(labelled.nodes[1]!.x);
  });
});

test("the same request gives the same layout; two edges between two nodes are two", () => {
  const request: LayoutRequest = {
    direction: "LR",
    nodes: 3,
    edges: [
      [0, 1, 0],
      [0, 1, 90],
      [1, 2, 0],
    ],
  };
  expect(layout(request)).toEqual(layout(request));
  expect(layout(request).edges).toHaveLength(3);
});

test("no nodes at all, and nodes without edges", () => {
  expect(layout({ direction: "LR", nodes: 0, edges: [] })).toMatchObject({ width: 0, height: 0 });
  expect(layout({ direction: "TB", nodes: 3, edges: [] }).nodes).toHaveLength(3);
});
