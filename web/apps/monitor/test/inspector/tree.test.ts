import { describe, expect, test } from "vitest";
import { splitError } from "../../src/inspector/errors";
import { expressionsOf } from "../../src/inspector/expressions";
import { previewOf } from "../../src/inspector/preview";
import { pieces, search } from "../../src/inspector/search";
import {
  childrenOf,
  pathOf,
  pathText,
  RANGE,
  reveal,
  rootOf,
  rowsOf,
  summaryOf,
} from "../../src/inspector/tree";
import { visible } from "../../src/inspector/visible";

const never = new AbortController().signal;

function deep(levels: number): unknown {
  let value: unknown = "bottom";
  for (let at = 0; at < levels; at += 1) value = at % 2 ? [value] : { down: value };
  return value;
}

describe("rows", () => {
  test("a small value is all open, a large one only at its top", () => {
    expect(rowsOf(rootOf({ a: [1, 2], b: { c: null } })).map(summaryOf)).toEqual([
      "{a, b}",
      "[2]",
      "1",
      "2",
      "{c}",
      "null",
    ]);
    const many = { list: Array.from({ length: 5_000 }, (_, at) => ({ at })), name: "x" };
    expect(rowsOf(rootOf(many))).toHaveLength(3);
  });

  test("a long list opens into ranges, and those into ranges, never more than a hundred", () => {
    const root = rootOf(Array.from({ length: 1_000_000 }, (_, at) => at));
    const ranges = childrenOf(root);
    expect(ranges).toHaveLength(RANGE);
    expect(summaryOf(ranges[1]!)).toBe("10000 … 19999");
    const inner = childrenOf(ranges[1]!);
    expect(summaryOf(inner[0]!)).toBe("10000 … 10099");
    expect(
      childrenOf(inner[0]!)
        .map(({ value }) => value)
        .slice(0, 3),
    ).toEqual([10_000, 10_001, 10_002]);
    expect(rowsOf(root)).toHaveLength(RANGE + 1);
  });

  test("an object with many members too", () => {
    const wide = Object.fromEntries(Array.from({ length: 350 }, (_, at) => [`key${at}`, at]));
    const ranges = childrenOf(rootOf(wide));
    expect(ranges.map(summaryOf)).toEqual(["0 … 99", "100 … 199", "200 … 299", "300 … 349"]);
    expect(childrenOf(ranges[3]!).at(-1)!.key).toBe("key349");
  });

  test("megabytes cost what is opened of them", () => {
    const entry = {
      id: 1,
      title: "a title of some length",
      tags: ["one", "two"],
      text: "x".repeat(160),
    };
    const value = Array.from({ length: 10_000 }, (_, id) => ({ ...entry, id }));
    expect(JSON.stringify(value).length).toBeGreaterThan(2_300_000);
    const root = rootOf(value);
    const made = rowsOf(root).length;
    expect(made).toBeLessThanOrEqual(RANGE + 1);
    expect(root.children!.every(({ children }) => children === null)).toBe(true);
  });

  test("a value may be deeper than the stack", async () => {
    const value = deep(50_000);
    const root = rootOf(value);
    expect(rowsOf(root).length).toBeLessThan(50);
    const hits = await search(value, "bottom", never);
    expect(hits.paths).toHaveLength(1);
    expect(hits.paths[0]).toHaveLength(50_000);
    const found = reveal(root, hits.paths[0]!);
    expect(found?.value).toBe("bottom");
    expect(rowsOf(root)).toHaveLength(50_001);
  });
});

describe("paths", () => {
  test("are what an expression of a workflow would say", () => {
    expect(pathText([])).toBe("@");
    expect(pathText(["items", 3, "first name", "a.b", 'q"'])).toBe(
      'items[3]."first name"."a.b"."q\\""',
    );
  });

  test("lead back to the entry, through ranges", () => {
    const root = rootOf({ list: Array.from({ length: 20_000 }, (_, at) => ({ at })) });
    const found = reveal(root, ["list", 12_345, "at"])!;
    expect(found.value).toBe(12_345);
    expect(pathOf(found)).toEqual(["list", 12_345, "at"]);
    expect(rowsOf(root)).toContain(found);
    expect(reveal(root, ["list", 20_000])).toBeNull();
    expect(reveal(root, ["none"])).toBeNull();
  });

  test("any name is a name", () => {
    const value = JSON.parse('{"__proto__": {"constructor": 1}, "toString": 2}');
    const root = rootOf(value);
    expect(rowsOf(root).map(({ key }) => key)).toEqual([
      null,
      "__proto__",
      "constructor",
      "toString",
    ]);
    expect(reveal(root, ["__proto__", "constructor"])?.value).toBe(1);
  });
});

describe("search", () => {
  test("in names and in values, in any case, in order", async () => {
    const value = { Error: 1, list: ["an ERROR", { deep: "no error" }], n: 404, none: null };
    const { paths } = await search(value, "error", never);
    expect(paths).toEqual([["Error"], ["list", 0], ["list", 1, "deep"]]);
    expect((await search(value, "404", never)).paths).toEqual([["n"]]);
    expect((await search(value, "null", never)).paths).toEqual([["none"]]);
  });

  test("stops at a thousand and says that there are more", async () => {
    const { paths, more } = await search(Array(3_000).fill("hit"), "hit", never);
    expect([paths.length, more]).toEqual([1_000, true]);
  });

  test("gives up when nobody wants it any more", async () => {
    const control = new AbortController();
    const value = [...Array.from({ length: 400_000 }, (_, at) => ({ at })), "the last"];
    const looking = search(value, "the last", control.signal);
    control.abort();
    expect((await looking).paths).toEqual([]);
    expect((await search(value, "the last", never)).paths).toEqual([[400_000]]);
  });

  test("marks are pieces of text, every other one a hit", () => {
    expect(pieces("An Error, an error", "error")).toEqual(["An ", "Error", ", an ", "error", ""]);
    expect(pieces("nothing", "x")).toEqual(["nothing"]);
    expect(pieces("İİ<b>", "<b>").join("")).toBe("İİ<b>");
  });
});

describe("previews", () => {
  const real = { $preview: "[1", $size: 70_000, $ref: "/api/executions/e1/nodes/n1/output" };

  test.each([
    real,
    { ...real, $ref: "/api/executions/a:b.c/result" },
    { ...real, $ref: "/api/executions/e1/input" },
  ])("%j can be fetched", (value) => expect(previewOf(value)).toEqual(value));

  test.each([
    { ...real, $ref: "@evil.example/api/executions/e1/result" },
    { ...real, $ref: "https://evil.example/api/executions/e1/result" },
    { ...real, $ref: "//evil.example/api/executions/e1/result" },
    { ...real, $ref: "/api/executions/../stats/result" },
    { ...real, $ref: "/api/executions/%2e%2E/result" },
    { ...real, $ref: "/api/executions/e1/cancel" },
    { ...real, $ref: "/api/executions/e1/result?x=1" },
    { ...real, $ref: "\n/api/executions/e1/result" },
    { ...real, more: 1 },
    { ...real, $size: "big" },
    { $preview: "x" },
    null,
    "text",
    [real],
  ])("%j is a value like any other", (value) => expect(previewOf(value)).toBeNull());
});

describe("errors", () => {
  test("one line is all there is", () => {
    expect(splitError("boom\n")).toEqual({ says: "boom", stack: "", lines: 0 });
  });

  test("a stack is folded, and Python says what it was in the end", () => {
    const python =
      'Traceback (most recent call last):\n  File "x.py", line 1\n    go()\nValueError: bad\n  note';
    expect(splitError(python)).toMatchObject({ says: "ValueError: bad", stack: python, lines: 4 });
    expect(splitError("TypeError: x\n    at a.js:1\n    at b.js:2")).toMatchObject({
      says: "TypeError: x",
      lines: 2,
    });
  });

  test("a line of any length is cut", () => {
    const { says, stack } = splitError("x".repeat(5_000));
    expect(says.length).toBeLessThan(500);
    expect(stack).toHaveLength(5_000);
  });
});

test("what turns or hides a text can be seen", () => {
  expect(visible("a\u202egnp.exe\u0007 b\n\tc")).toBe("a\\u202egnp.exe\\u0007 b\n\tc");
  expect(visible("👩‍👩‍👧 ناصر")).toBe("👩‍👩‍👧 ناصر");
  expect(summaryOf(rootOf({ "\u2066x": 1 }))).toBe("{\\u2066x}");
});

test("expressions of a configuration, wherever they stand", () => {
  const config = {
    tool: "data.query",
    forEach: { $expr: "nodes.read" },
    arguments: { data: { limit: { $expr: "input.limit" }, list: [1, { $expr: "item" }] } },
    not: { $expr: "two", members: 1 },
  };
  expect(expressionsOf(config)).toEqual([
    { path: "forEach", expression: "nodes.read" },
    { path: "arguments.data.limit", expression: "input.limit" },
    { path: "arguments.data.list[1]", expression: "item" },
  ]);
  expect(expressionsOf(null)).toEqual([]);
});
