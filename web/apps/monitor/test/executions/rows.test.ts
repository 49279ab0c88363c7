import type { ExecutionItem } from "@runroom/core";
import { describe, expect, test } from "vitest";
import { extended, moving, NO_ROWS, refreshed, searched } from "../../src/executions/rows";

/** An execution that was made at this second. */
function item(second: number, more: Partial<ExecutionItem> = {}): ExecutionItem {
  return {
    executionId: `ex_${second}`,
    workflowId: "wf_1",
    workflowName: "Digest",
    status: "completed",
    attempt: 1,
    seq: 9,
    priority: 0,
    progress: 100,
    createdAt: new Date(second * 1_000).toISOString(),
    startedAt: null,
    endedAt: null,
    owner: "dev",
    error: null,
    logCount: 0,
    retryOf: null,
    executor: null,
    ...more,
  };
}
const items = (...seconds: number[]) => seconds.map((second) => item(second));
const seconds = (rows: { items: readonly ExecutionItem[] }) =>
  rows.items.map(({ executionId }) => Number(executionId.slice(3)));

describe("the first page read again", () => {
  test("replaces what it covers and keeps the pages below", () => {
    const loaded = extended(
      { items: items(9, 8, 7), cursor: "after 7" },
      { items: items(6, 5), nextCursor: "after 5" },
    );
    const again = refreshed(loaded, {
      items: [item(10), item(9, { status: "failed" }), item(8)],
      nextCursor: "after 8",
    });
    expect(seconds(again)).toEqual([10, 9, 8, 7, 6, 5]);
    expect(again.items[1]?.status).toBe("failed");
    expect(again.cursor).toBe("after 5");
  });

  test("lets go what was deleted in its part", () => {
    const rows = { items: items(9, 8, 7, 6), cursor: "after 6" };
    const again = refreshed(rows, { items: items(9, 7), nextCursor: "after 7" });
    expect(seconds(again)).toEqual([9, 7, 6]);
  });

  test("is all there is if there is no page after it", () => {
    const rows = { items: items(9, 8, 7), cursor: "after 7" };
    expect(refreshed(rows, { items: items(9), nextCursor: null })).toEqual({
      items: items(9),
      cursor: null,
    });
    expect(refreshed(rows, { items: [], nextCursor: null })).toEqual(NO_ROWS);
  });

  test("starts anew rather than leave a gap", () => {
    const rows = { items: items(3, 2, 1), cursor: "after 1" };
    const again = refreshed(rows, { items: items(99, 98), nextCursor: "after 98" });
    expect(seconds(again)).toEqual([99, 98]);
    expect(again.cursor).toBe("after 98");
  });
});

test("a further page shows no row twice", () => {
  const rows = extended(
    { items: items(5, 4), cursor: "c" },
    { items: items(4, 3), nextCursor: null },
  );
  expect(seconds(rows)).toEqual([5, 4, 3]);
  expect(rows.cursor).toBeNull();
});

test("a search finds every word, in the name, the id or the error", () => {
  const rows = [
    item(1, { workflowName: "Nightly import" }),
    item(2, { workflowName: "Nightly export", error: "Disk full" }),
  ];
  expect(searched(rows, "NIGHTLY disk")).toEqual([rows[1]]);
  expect(searched(rows, "ex_1")).toEqual([rows[0]]);
  expect(searched(rows, "  ")).toEqual(rows);
  expect(searched(rows, "nothing")).toEqual([]);
});

test("what still moves is watched, up to a limit", () => {
  const rows = [
    item(4, { status: "running" }),
    item(3),
    item(2, { status: "pending" }),
    item(1, { status: "running" }),
  ];
  expect(moving(rows, 10)).toEqual(["ex_4", "ex_2", "ex_1"]);
  expect(moving(rows, 2)).toEqual(["ex_4", "ex_2"]);
});
