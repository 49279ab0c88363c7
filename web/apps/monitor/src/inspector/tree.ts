import { visible } from "./visible";

/**
 * A JSON value as a tree that is built as it is opened: a closed branch costs nothing, however
 * large it is, and a large one opens into ranges. Nothing here recurses: values may be deep.
 */
export interface Branch {
  /** Of its own, for as long as the page lives. */
  readonly id: number;
  readonly parent: Branch | null;
  /** A member's name or an element's index; null: the root, or a range. */
  readonly key: string | number | null;
  readonly value: unknown;
  readonly depth: number;
  /** Of the container `value`, the entries `from` … `to` − 1. */
  readonly range: { readonly from: number; readonly to: number } | null;
  open: boolean;
  children: readonly Branch[] | null;
}

export type Path = readonly (string | number)[];

/** No branch shows more than so many at once. */
export const RANGE = 100;
/** So many rows are opened without being asked. */
const AT_FIRST = 40;
/** A longer text is shown in part until it is opened. */
export const TEXT = 160;
/** Of a closed object so many names are shown, and so many characters of them. */
const NAMED = 4;
const NAMES = 60;

export function rootOf(value: unknown, rows = AT_FIRST): Branch {
  const root = branch(null, null, value, 0, null);
  // level by level, as long as there is room
  const queue = [root];
  let left = rows;
  for (const next of queue) {
    const size = sizeOf(next.value);
    if (typeof next.value === "string" ? next !== root : size === 0 || size > left) continue;
    if (!isOpenable(next)) continue;
    left -= size;
    next.open = true;
    if (size <= RANGE) queue.push(...childrenOf(next));
  }
  // one that is too large for that is at least not closed
  if (isContainer(value)) root.open = true;
  return root;
}

/** What is seen, from the top to the bottom. */
export function rowsOf(root: Branch): Branch[] {
  const rows: Branch[] = [];
  const stack = [root];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    rows.push(next);
    if (!next.open || !isContainer(next.value)) continue;
    const children = childrenOf(next);
    for (let at = children.length - 1; at >= 0; at -= 1) stack.push(children[at]!);
  }
  return rows;
}

export function isContainer(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

export function isOpenable({ value, range }: Branch): boolean {
  if (typeof value === "string") return value.length > TEXT || value.includes("\n");
  return range !== null || sizeOf(value) > 0;
}

/** How many entries it has. */
export function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return isContainer(value) ? keysOf(value).length : 0;
}

export function childrenOf(parent: Branch): readonly Branch[] {
  parent.children ??= makeChildren(parent);
  return parent.children;
}

/** Open all that hides it. @returns null if there is no such entry. */
export function reveal(root: Branch, path: Path): Branch | null {
  let at = root;
  for (const key of path) {
    const { value } = at;
    if (!isContainer(value)) return null;
    const index = Array.isArray(value) ? Number(key) : keysOf(value).indexOf(String(key));
    if (index < 0 || index >= sizeOf(value)) return null;
    for (;;) {
      at.open = true;
      const children = childrenOf(at);
      const within = children.find(({ range }) => range && index >= range.from && index < range.to);
      if (within === undefined) {
        at = children[index - (at.range?.from ?? 0)]!;
        break;
      }
      at = within;
    }
  }
  return at;
}

export function pathOf(branch: Branch): Path {
  const path: (string | number)[] = [];
  for (let at: Branch | null = branch; at !== null; at = at.parent) {
    if (at.key !== null) path.push(at.key);
  }
  return path.reverse();
}

/** As an expression of a workflow says it (JMESPath): `items[3]."first name"`. */
export function pathText(path: Path): string {
  if (path.length === 0) return "@";
  let text = "";
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`;
    else text += (text && ".") + (/^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? key : JSON.stringify(key));
  }
  return text;
}

/** A closed branch in a few words; of a text its beginning. */
export function summaryOf({ value, range }: Branch): string {
  if (range !== null) return `${range.from} … ${range.to - 1}`;
  if (Array.isArray(value)) return value.length === 0 ? "[]" : `[${value.length}]`;
  if (isContainer(value)) {
    const keys = keysOf(value);
    if (keys.length === 0) return "{}";
    const shown = visible(keys.slice(0, NAMED).join(", "));
    const cut = keys.length > NAMED || shown.length > NAMES;
    return `{${shown.slice(0, NAMES)}${cut ? ", …" : ""}}`;
  }
  if (typeof value !== "string") return String(value);
  const text = JSON.stringify(value.slice(0, TEXT));
  return visible(value.length > TEXT ? `${text.slice(0, -1)}…` : text);
}

let made = 0;
const keys = new WeakMap<object, readonly string[]>();

function keysOf(value: object): readonly string[] {
  let found = keys.get(value);
  if (found === undefined) {
    found = Object.keys(value);
    keys.set(value, found);
  }
  return found;
}

function makeChildren(parent: Branch): Branch[] {
  const { value, range, depth } = parent;
  if (!isContainer(value)) return [];
  const from = range?.from ?? 0;
  const to = range?.to ?? sizeOf(value);
  if (to - from > RANGE) return ranges(parent, value, from, to);
  if (Array.isArray(value)) {
    return value
      .slice(from, to)
      .map((entry, at) => branch(parent, from + at, entry, depth + 1, null));
  }
  return keysOf(value)
    .slice(from, to)
    .map((key) => branch(parent, key, (value as Record<string, unknown>)[key], depth + 1, null));
}

/** As large as they have to be for there to be no more than RANGE of them. */
function ranges(parent: Branch, value: object, from: number, to: number): Branch[] {
  let step = RANGE;
  while ((to - from) / step > RANGE) step *= RANGE;
  const found: Branch[] = [];
  for (let at = from; at < to; at += step) {
    const range = { from: at, to: Math.min(at + step, to) };
    found.push(branch(parent, null, value, parent.depth + 1, range));
  }
  return found;
}

function branch(
  parent: Branch | null,
  key: string | number | null,
  value: unknown,
  depth: number,
  range: Branch["range"],
): Branch {
  made += 1;
  return { id: made, parent, key, value, depth, range, open: false, children: null };
}
