/** What the page and the worker that lays out share. The layout itself stays in the worker. */

/** Left to right, or top to bottom. */
export type Direction = "LR" | "TB";

export interface LayoutRequest {
  readonly direction: Direction;
  readonly nodes: number;
  /** Source and target by index, and the width of a label or 0. */
  readonly edges: readonly (readonly [source: number, target: number, label: number])[];
}

/** Places of nodes (top left), paths of edges; in px, by index. */
export interface Layout {
  readonly direction: Direction;
  readonly nodes: readonly Point[];
  readonly edges: readonly Route[];
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Route {
  /** For a path's `d`. */
  readonly path: string;
  /** Where a label goes. */
  readonly middle: Point;
}

export const NODE = { width: 184, height: 68 } as const;
export const LABEL_HEIGHT = 22;
