import type { Path } from "./tree";

export interface Hits {
  readonly paths: readonly Path[];
  /** There are more than are listed. */
  readonly more: boolean;
}

const MOST = 1_000;
const SLICE_MS = 8;
const LOOK_EVERY = 500;

interface Entry {
  readonly parent: Entry | null;
  readonly key: string | number;
  readonly value: unknown;
}

/**
 * Where a text stands in a value, in names and in values, in any case. Works in slices, so that a
 * large value does not stop the page; after `signal` it gives up.
 */
export async function search(value: unknown, text: string, signal: AbortSignal): Promise<Hits> {
  const wanted = text.toLowerCase();
  const paths: Path[] = [];
  const stack: Entry[] = [{ parent: null, key: "", value }];
  let seen = 0;
  let sliceAt = performance.now();
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { value } = entry;
    const named = entry.parent !== null && String(entry.key).toLowerCase().includes(wanted);
    if (named || (!isBranch(value) && textOf(value).toLowerCase().includes(wanted))) {
      if (paths.length === MOST) return { paths, more: true };
      paths.push(pathOf(entry));
    }
    if (isBranch(value)) {
      const keys = Array.isArray(value) ? null : Object.keys(value);
      for (let at = (keys ?? (value as unknown[])).length - 1; at >= 0; at -= 1) {
        const key = keys?.[at] ?? at;
        stack.push({ parent: entry, key, value: (value as Record<string | number, unknown>)[key] });
      }
    }
    seen += 1;
    if (seen % LOOK_EVERY === 0 && performance.now() - sliceAt > SLICE_MS) {
      await new Promise((resolve) => setTimeout(resolve));
      if (signal.aborted) break;
      sliceAt = performance.now();
    }
  }
  return { paths, more: false };
}

/** A text cut at the places where `text` stands in it; every other piece is a hit. */
export function pieces(whole: string, text: string): string[] {
  if (text === "") return [whole];
  const found: string[] = [];
  const [low, wanted] = [whole.toLowerCase(), text.toLowerCase()];
  // a letter whose small form is longer would shift every piece behind it
  if (low.length !== whole.length) return [whole];
  let from = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, from)) {
    found.push(whole.slice(from, at), whole.slice(at, at + wanted.length));
    from = at + wanted.length;
  }
  return [...found, whole.slice(from)];
}

function isBranch(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : String(value);
}

function pathOf(entry: Entry): Path {
  const path: (string | number)[] = [];
  for (let at: Entry = entry; at.parent !== null; at = at.parent) path.push(at.key);
  return path.reverse();
}
