import type { ExecutionState } from "@runroom/core";
import { describe, expect, test } from "vitest";
import { effect } from "vue";
import { Cells } from "../../src/graph/cells";
import { edgeLook } from "../../src/graph/look";
import { fits, shapeOf } from "../../src/graph/shape";
import { edgeOf, nodeOf, recordOf, run, type Step } from "../support/executions";

const GATE = recordOf(
  ["start", "gate", "yes", "no", "end"].map((id) => nodeOf(id)),
  [
    edgeOf("start", "gate"),
    edgeOf("gate", "yes", "nodes.gate.passed"),
    edgeOf("gate", "no", "!nodes.gate.passed"),
    edgeOf("yes", "end"),
    edgeOf("no", "end"),
  ],
);
const RUN: readonly Step[] = [
  { status: "running" },
  { node: "start", status: "running" },
  { node: "start", status: "completed" },
  { node: "gate", status: "running" },
  { node: "gate", status: "completed" },
  { node: "no", status: "skipped" },
  { node: "yes", status: "running" },
];

function after(count: number): ExecutionState {
  return run(GATE, RUN.slice(0, count)).state;
}

function cellsOf(state: ExecutionState): Cells {
  return new Cells(shapeOf(state), state);
}

function looks(cells: Cells): string[] {
  return cells.edges.map((edge) => edge.value);
}

describe("what edges look like", () => {
  test("from nothing to the branch that is taken", () => {
    expect(looks(cellsOf(after(1)))).toEqual(Array(5).fill("waiting"));
    expect(looks(cellsOf(after(4)))).toEqual(["flowing", ...Array(4).fill("waiting")]);
    expect(looks(cellsOf(after(7)))).toEqual(["passed", "flowing", "dead", "waiting", "dead"]);
  });

  const done = { status: "completed", startedAt: "t" } as const;
  const ran = { status: "running", startedAt: "t" } as const;
  const not = { status: "cancelled", startedAt: null } as const;

  test("a condition that was not alone is not said to have held", () => {
    expect(edgeLook(done, ran, "a", 1)).toBe("maybe");
    expect(edgeLook(done, ran, "a", 0)).toBe("flowing");
    expect(edgeLook(done, ran, null, 1)).toBe("flowing");
  });

  test("what ended without having begun got nothing, unless its output was reused", () => {
    expect(edgeLook(done, not, null, 0)).toBe("dead");
    expect(edgeLook(done, { status: "completed", startedAt: null }, null, 0)).toBe("passed");
    expect(edgeLook({ status: "failed", startedAt: "t" }, not, null, 0)).toBe("dead");
  });
});

describe("updates", () => {
  test("an update draws what it changed and nothing else", () => {
    const before = after(4);
    const cells = cellsOf(before);
    const drawn: string[] = [];
    for (const [at, node] of cells.nodes.entries()) {
      effect(() => void drawn.push(`node ${at} ${node.value.status}`));
    }
    for (const [at, edge] of cells.edges.entries()) {
      effect(() => void drawn.push(`edge ${at} ${edge.value}`));
    }
    drawn.length = 0;
    cells.update(after(5), ["gate"]);
    expect(drawn).toEqual(["node 1 completed", "edge 0 passed"]);
    expect(looks(cells)).toEqual(looks(cellsOf(after(5))));
  });

  test("progress looks at no edge; many changes look at each edge once", () => {
    const cells = cellsOf(after(7));
    const { state } = run(GATE, [...RUN, { node: "yes", progress: 40 }]);
    expect(cells.update(state, ["yes"])).toBe(0);
    expect(cells.nodes[2]!.value.progress).toBe(40);
    expect(
      cells.update(
        after(1),
        GATE.graph.nodes.map(({ id }) => id),
      ),
    ).toBe(5);
    expect(looks(cells)).toEqual(Array(5).fill("waiting"));
  });

  test("step by step it is where it would be at once", () => {
    const cells = cellsOf(after(1));
    RUN.forEach((step, at) => {
      cells.update(after(at + 1), step.node === undefined ? [] : [step.node]);
      expect(looks(cells)).toEqual(looks(cellsOf(after(at + 1))));
    });
  });
});

describe("shapes", () => {
  test("nodes that no graph lists are there, and edges to nowhere are not", () => {
    const record = recordOf([nodeOf("a")], [edgeOf("a", "b"), edgeOf("a", "ghost")]);
    const shape = shapeOf(
      run(record, [{ status: "running" }, { node: "b", status: "running" }]).state,
    );
    expect(shape.nodes.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(shape.edges).toEqual([{ source: 0, target: 1, when: null }]);
    expect(fits(shape, new Set(["b"]))).toBe(true);
    expect(fits(shape, new Set(["b", "c"]))).toBe(false);
  });

  test("any id is an id", () => {
    const ids = ["__proto__", "constructor", "toString"];
    const record = recordOf(
      ids.map((id) => nodeOf(id)),
      [edgeOf("__proto__", "constructor")],
    );
    const state = run(record, [
      { status: "running" },
      { node: "__proto__", status: "running" },
      { node: "__proto__", status: "completed" },
      { node: "constructor", status: "running" },
    ]).state;
    const cells = cellsOf(state);
    expect(cells.nodes.map(({ value }) => value.status)).toEqual([
      "completed",
      "running",
      "pending",
    ]);
    expect(looks(cells)).toEqual(["flowing"]);
    cells.update(null, ids);
    expect(cells.nodes.map(({ value }) => value.nodeId)).toEqual(ids);
  });

  test("the key tells a graph from another, and not from itself", () => {
    expect(shapeOf(after(1)).key).toBe(shapeOf(after(7)).key);
    const other = recordOf(GATE.graph.nodes, GATE.graph.edges.slice(1));
    expect(shapeOf(run(other, []).state).key).not.toBe(shapeOf(after(1)).key);
  });
});
