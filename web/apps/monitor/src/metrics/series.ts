/** One value over time; null where none was read. */
export interface Point {
  readonly time: number;
  readonly value: number | null;
}

export interface Frame {
  readonly from: number;
  readonly to: number;
  /** The value at the upper edge; the lower edge is 0. */
  readonly most: number;
  readonly width: number;
  readonly height: number;
  /** ms between two points from which on the line is broken: nothing is known in between. */
  readonly gap: number;
}

/** The stretches of points that belong together. */
export function stretches(points: readonly Point[], gap: number): Point[][] {
  const found: Point[][] = [];
  let last: Point | undefined;
  for (const point of points) {
    if (point.value !== null) {
      const goes = last !== undefined && last.value !== null && point.time - last.time <= gap;
      if (goes) found.at(-1)!.push(point);
      else found.push([point]);
    }
    last = point;
  }
  return found;
}

/** The line and the area below it, as SVG paths. A value that stands alone is a short line. */
export function pathsOf(
  points: readonly Point[],
  { from, to, most, width, height, gap }: Frame,
): { line: string; area: string } {
  const x = (time: number): number => round(((time - from) / Math.max(1, to - from)) * width);
  const y = (value: number): number => round(height - (value / Math.max(1e-9, most)) * height);
  const lines: string[] = [];
  const areas: string[] = [];
  for (const stretch of stretches(points, gap)) {
    const places = stretch.map(({ time, value }) => `${x(time)} ${y(value!)}`);
    if (places.length === 1) places.push(`${x(stretch[0]!.time) + 1} ${y(stretch[0]!.value!)}`);
    const end = places.at(-1)!.split(" ")[0];
    lines.push(`M${places.join("L")}`);
    areas.push(`M${x(stretch[0]!.time)} ${height}L${places.join("L")}L${end} ${height}Z`);
  }
  return { line: lines.join(""), area: areas.join("") };
}

/** The next round number at or above, with a half that is whole: 2, 4, 6, 8, 10, 20 … */
export function roundUp(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 6, 8, 10].find((each) => each * power >= value)!;
  return step * power;
}

/** The point that was last read at a time; null: nothing was known then. */
export function pointAt(points: readonly Point[], time: number, gap: number): Point | null {
  const found = points.findLast((point) => point.time <= time) ?? points[0];
  if (found === undefined || found.value === null) return null;
  return Math.abs(time - found.time) <= gap ? found : null;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
