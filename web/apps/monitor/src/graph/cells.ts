import type { ExecutionState, NodeState } from "@runroom/core";
import { type ShallowRef, shallowRef } from "vue";
import { type EdgeLook, edgeLook } from "./look";
import type { Shape } from "./shape";

/**
 * A ref for each node and each edge, outside of all arrays that are drawn from: an update draws
 * again what it changed, and nothing else.
 */
export class Cells {
  readonly shape: Shape;
  readonly nodes: readonly ShallowRef<NodeState>[];
  readonly edges: readonly ShallowRef<EdgeLook>[];
  readonly #touched = new Set<number>();

  constructor(shape: Shape, state: ExecutionState | null) {
    this.shape = shape;
    this.nodes = shape.nodes.map((_, index) => shallowRef(this.#stateOf(index, state)));
    this.edges = shape.edges.map((_, index) => shallowRef(this.#lookOf(index)));
  }

  /**
   * Take over what changed; ids that the shape does not know are left out.
   * @returns how many edges were looked at: each once, however many of its nodes changed.
   */
  update(state: ExecutionState | null, changed: Iterable<string>): number {
    const { shape } = this;
    const touched = this.#touched;
    touched.clear();
    for (const id of changed) {
      const index = shape.indexOf.get(id);
      if (index === undefined) continue;
      const cell = this.nodes[index]!;
      const before = cell.value;
      cell.value = this.#stateOf(index, state);
      // progress and messages do not change an edge
      if (before.status === cell.value.status && before.startedAt === cell.value.startedAt)
        continue;
      const { incoming, outgoing } = shape.nodes[index]!;
      for (const edge of incoming) touched.add(edge);
      for (const edge of outgoing) {
        // whether its source completed counts for all edges into a target
        for (const rival of shape.nodes[shape.edges[edge]!.target]!.incoming) touched.add(rival);
      }
    }
    for (const edge of touched) this.edges[edge]!.value = this.#lookOf(edge);
    return touched.size;
  }

  #stateOf(index: number, state: ExecutionState | null): NodeState {
    const { id, name, kind } = this.shape.nodes[index]!;
    const known = state !== null && Object.hasOwn(state.nodes, id) ? state.nodes[id] : undefined;
    return known ?? unknown(id, name, kind);
  }

  #lookOf(index: number): EdgeLook {
    const { shape, nodes } = this;
    const { source, target, when } = shape.edges[index]!;
    let rivals = 0;
    if (when !== null) {
      for (const other of shape.nodes[target]!.incoming) {
        if (other === index) continue;
        if (nodes[shape.edges[other]!.source]!.value.status === "completed") rivals += 1;
      }
    }
    return edgeLook(nodes[source]!.value, nodes[target]!.value, when, rivals);
  }
}

/** A node of which there is no word yet: before an outside run's first event of it. */
function unknown(nodeId: string, name: string, kind: NodeState["kind"]): NodeState {
  return {
    nodeId,
    name,
    kind,
    status: "pending",
    progress: 0,
    message: null,
    startedAt: null,
    endedAt: null,
    durationMs: null,
    tries: 0,
    output: null,
    error: null,
  };
}
