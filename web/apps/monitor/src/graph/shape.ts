import type { ExecutionState, GraphEdge, GraphNode, Kind } from "@runroom/core";

/** What of a graph does not change while it runs. Nodes and edges are known by their index. */
export interface Shape {
  readonly nodes: readonly ShapeNode[];
  readonly edges: readonly ShapeEdge[];
  /** Of a node's id. */
  readonly indexOf: ReadonlyMap<string, number>;
  /** The same text for the same nodes and edges. */
  readonly key: string;
}

export interface ShapeNode {
  readonly id: string;
  readonly name: string;
  readonly kind: Kind | null;
  /** What it does: a tool's or a model's name. */
  readonly work: string | null;
  /** How often it is tried in all; null: not said. */
  readonly attempts: number | null;
  /** Indexes of edges. */
  readonly incoming: readonly number[];
  readonly outgoing: readonly number[];
}

export interface ShapeEdge {
  /** Indexes of nodes. */
  readonly source: number;
  readonly target: number;
  readonly when: string | null;
}

/** Of the graph and of nodes that it does not list: those of an outside run. */
export function shapeOf(state: ExecutionState): Shape {
  const listed = new Map(state.graph.nodes.map((node) => [node.id, node]));
  const ids = [...new Set([...listed.keys(), ...Object.keys(state.nodes)])];
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  const edges = state.graph.edges.flatMap((edge) => placed(edge, indexOf));
  const incoming: number[][] = ids.map(() => []);
  const outgoing: number[][] = ids.map(() => []);
  edges.forEach(({ source, target }, index) => {
    outgoing[source]!.push(index);
    incoming[target]!.push(index);
  });
  const nodes = ids.map((id, index): ShapeNode => {
    const node = listed.get(id);
    const known = Object.hasOwn(state.nodes, id) ? state.nodes[id] : undefined;
    return {
      id,
      name: node?.name || known?.name || id,
      kind: node?.kind ?? known?.kind ?? null,
      work: node ? workOf(node) : null,
      attempts: node?.retry?.attempts ?? null,
      incoming: incoming[index]!,
      outgoing: outgoing[index]!,
    };
  });
  return { nodes, edges, indexOf, key: keyOf(ids, edges) };
}

/** Whether a shape still fits: asked once a frame, so it looks at what changed alone. */
export function fits(shape: Shape, changed: ReadonlySet<string>): boolean {
  for (const id of changed) if (!shape.indexOf.has(id)) return false;
  return true;
}

function placed(edge: GraphEdge, indexOf: ReadonlyMap<string, number>): ShapeEdge[] {
  const source = indexOf.get(edge.source);
  const target = indexOf.get(edge.target);
  if (source === undefined || target === undefined) return [];
  return [{ source, target, when: edge.when }];
}

function workOf({ config }: GraphNode): string | null {
  const work = config?.tool ?? config?.model;
  return typeof work === "string" ? work : null;
}

function keyOf(ids: readonly string[], edges: readonly ShapeEdge[]): string {
  const links = edges.map(({ source, target, when }) => [source, target, when]);
  return JSON.stringify([ids, links]);
}
