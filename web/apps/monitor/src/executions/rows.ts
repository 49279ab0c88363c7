import { type ExecutionItem, isTerminal } from "@runroom/core";

/** What is shown of the list: the pages that were loaded, newest first. */
export interface Rows {
  readonly items: readonly ExecutionItem[];
  /** Where the page after these begins; null: there is none. */
  readonly cursor: string | null;
}

export interface Page {
  readonly items: readonly ExecutionItem[];
  readonly nextCursor: string | null;
}

export const NO_ROWS: Rows = { items: [], cursor: null };

/**
 * The first page read again: it replaces what it covers, and what is older stays. If so much is new
 * that there may be a gap between the two, the older rows go.
 */
export function refreshed(rows: Rows, page: Page): Rows {
  const fresh = { items: page.items, cursor: page.nextCursor };
  const last = page.items.at(-1);
  if (last === undefined || page.nextCursor === null) return fresh;
  const ids = new Set(page.items.map((item) => item.executionId));
  if (!rows.items.some((item) => ids.has(item.executionId))) return fresh;
  const older = rows.items.filter(
    (item) => !ids.has(item.executionId) && item.createdAt <= last.createdAt,
  );
  return older.length === 0 ? fresh : { items: [...page.items, ...older], cursor: rows.cursor };
}

/** The next page below. */
export function extended(rows: Rows, page: Page): Rows {
  const ids = new Set(rows.items.map((item) => item.executionId));
  const more = page.items.filter((item) => !ids.has(item.executionId));
  return { items: [...rows.items, ...more], cursor: page.nextCursor };
}

/** Rows whose workflow, id or error has every word of the search. */
export function searched(items: readonly ExecutionItem[], text: string): readonly ExecutionItem[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return items;
  return items.filter((item) => {
    const found = `${item.workflowName} ${item.executionId} ${item.error ?? ""}`.toLowerCase();
    return words.every((word) => found.includes(word));
  });
}

/** Those that still move, at most so many: worth a subscription each. */
export function moving(items: readonly ExecutionItem[], most: number): string[] {
  return items
    .filter((item) => !isTerminal(item.status))
    .slice(0, most)
    .map((item) => item.executionId);
}
