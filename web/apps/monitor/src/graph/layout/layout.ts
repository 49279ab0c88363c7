import { layout as dagre, Graph } from "@dagrejs/dagre";
import {
  type Direction,
  LABEL_HEIGHT,
  type Layout,
  type LayoutRequest,
  NODE,
  type Point,
  type Route,
} from "./types";

/** From so many nodes on, the best ranks take longer than anybody waits. */
const MANY = 800;

/** Sources before targets, edges around the nodes that they pass. The same for the same request. */
export function layout({ direction, nodes, edges }: LayoutRequest): Layout {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({
    rankdir: direction,
    nodesep: direction === "LR" ? 22 : 20,
    ranksep: 44,
    edgesep: 14,
    ranker: nodes > MANY ? "tight-tree" : "network-simplex",
  });
  for (let node = 0; node < nodes; node += 1) graph.setNode(String(node), { ...NODE });
  edges.forEach(([source, target, label], index) => {
    const space = label > 0 ? { width: label, height: LABEL_HEIGHT, labelpos: "c" as const } : {};
    graph.setEdge(String(source), String(target), space, String(index));
  });
  dagre(graph);
  const places = Array.from({ length: nodes }, (_, node): Point => {
    const { x = 0, y = 0 } = graph.node(String(node)) as Partial<Point>;
    return { x: x - NODE.width / 2, y: y - NODE.height / 2 };
  });
  const routes = edges.map(([source, target], index): Route => {
    const name = { v: String(source), w: String(target), name: String(index) };
    const { points = [] } = graph.edge(name) as { points?: Point[] };
    return route(places[source]!, places[target]!, between(points), direction);
  });
  const right = Math.max(0, ...places.map(({ x }) => x + NODE.width));
  const bottom = Math.max(0, ...places.map(({ y }) => y + NODE.height));
  return { direction, nodes: places, edges: routes, width: right, height: bottom };
}

/** Of a route's points, those beside the nodes that it passes: every other one, without the ends. */
function between(points: readonly Point[]): Point[] {
  return points.slice(1, -1).filter((_, index) => index % 2 === 1);
}

/** Out of one node, straight past those in between, into the other; `from`, `to` are top left. */
export function route(from: Point, to: Point, past: readonly Point[], direction: Direction): Route {
  const across = direction === "LR";
  const half = (across ? NODE.width : NODE.height) / 2;
  // as if it went from left to right; turned when it is written
  const turn = ({ x, y }: Point): Point => (across ? { x, y } : { x: y, y: x });
  const centre = ({ x, y }: Point) => turn({ x: x + NODE.width / 2, y: y + NODE.height / 2 });
  const write = (x: number, y: number) =>
    across ? `${round(x)} ${round(y)}` : `${round(y)} ${round(x)}`;
  const begin = centre(from);
  const end = centre(to);
  let at: Point = { x: begin.x + half, y: begin.y };
  let path = `M${write(at.x, at.y)}`;
  let middle: Point | undefined;
  const curve = (x: number, y: number) => {
    const bend = (at.x + x) / 2;
    path += ` C${write(bend, at.y)} ${write(bend, y)} ${write(x, y)}`;
    middle ??= { x: bend, y: (at.y + y) / 2 };
    at = { x, y };
  };
  for (const point of past.map(turn)) {
    curve(point.x - half, point.y);
    path += ` L${write(point.x + half, point.y)}`;
    at = { x: point.x + half, y: point.y };
  }
  curve(end.x - half, end.y);
  return { path, middle: turn(middle!) };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
