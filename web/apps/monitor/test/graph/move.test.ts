import { expect, test } from "vitest";
import { layout } from "../../src/graph/layout/layout";
import { type Arrow, neighbour } from "../../src/graph/move";
import { shapeOf } from "../../src/graph/shape";
import { edgeOf, nodeOf, recordOf, run } from "../support/executions";

const shape = shapeOf(
  run(
    recordOf(
      ["a", "b", "c", "d"].map((id) => nodeOf(id)),
      [edgeOf("a", "b"), edgeOf("a", "c"), edgeOf("b", "d"), edgeOf("c", "d")],
    ),
    [],
  ).state,
);
const edges = shape.edges.map(({ source, target }) => [source, target, 0] as const);

function walk(direction: "LR" | "TB", from: string, ...arrows: Arrow[]): string | null {
  const placed = layout({ direction, nodes: 4, edges });
  let at: number | null = shape.indexOf.get(from)!;
  for (const arrow of arrows) {
    at = neighbour(shape, placed, at, arrow);
    if (at === null) return null;
  }
  return shape.nodes[at]!.id;
}

test("arrows go along the edges and between siblings", () => {
  const [one, other] = ["b", "c"].sort((x, y) => {
    const { nodes } = layout({ direction: "LR", nodes: 4, edges });
    return nodes[shape.indexOf.get(x)!]!.y - nodes[shape.indexOf.get(y)!]!.y;
  }) as [string, string];
  expect(["b", "c"]).toContain(walk("LR", "a", "ArrowRight"));
  expect(walk("LR", one, "ArrowDown")).toBe(other);
  expect(walk("LR", other, "ArrowUp")).toBe(one);
  expect(walk("LR", "b", "ArrowRight")).toBe("d");
  expect(walk("LR", "d", "ArrowLeft", "ArrowLeft")).toBe("a");
});

test("the same turned, and nothing beyond the rim", () => {
  expect(walk("TB", "b", "ArrowDown")).toBe("d");
  expect(walk("TB", "d", "ArrowUp", "ArrowUp")).toBe("a");
  expect(walk("LR", "a", "ArrowLeft")).toBeNull();
  expect(walk("TB", "d", "ArrowDown")).toBeNull();
});
