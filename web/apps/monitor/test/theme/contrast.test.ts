import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const css = readFileSync(`${import.meta.dirname}/../../src/theme/tokens.css`, "utf8");
const [light = {}, dark = {}] = ['data-theme="light"', 'data-theme="dark"'].map((theme) => {
  const block = css.slice(css.indexOf(theme));
  const found = block.slice(0, block.indexOf("}")).matchAll(/--([\w-]+): ([^;]+);/g);
  return Object.fromEntries([...found].map(([, name, value]) => [name, value as string]));
});

const STATUSES = ["pending", "running", "completed", "failed", "cancelled", "skipped"];
const KINDS = ["trigger", "agent", "tool", "output"];
const GROUNDS = ["bg", "surface", "surface-2", "surface-3"];

describe.each([
  ["light", light],
  ["dark", { ...light, ...dark }],
])("%s", (_, tokens) => {
  const pairs = [
    ...["text", "text-2", "link", "accent-text"].flatMap((text) => GROUNDS.map((g) => [text, g])),
    ...["bg", "surface", "surface-2"].map((ground) => ["text-3", ground]),
    ...STATUSES.flatMap((each) => [
      [each, `${each}-soft`],
      [each, "surface"],
      [each, "surface-2"],
    ]),
    ["accent-text", "accent-soft"],
    ["on-accent", "accent"],
    ["on-accent", "accent-hover"],
    ["on-accent", "danger-solid"],
    ["mark-text", "mark"],
  ];
  test.each(pairs)("%s on %s can be read", (text, ground) => {
    expect(contrast(tokens[text!]!, tokens[ground!]!)).toBeGreaterThanOrEqual(4.5);
  });
  test.each([
    ...KINDS.map((kind) => [kind, "surface"]),
    ["border-control", "surface"],
    ["focus", "bg"],
  ])("%s on %s can be told apart", (shape, ground) => {
    expect(contrast(tokens[shape!]!, tokens[ground!]!)).toBeGreaterThanOrEqual(3);
  });
});

function contrast(one: string, other: string): number {
  const [dim = 0, bright = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dim + 0.05);
}

function luminance(hex: string): number {
  expect(hex).toMatch(/^#[0-9a-f]{6}$/);
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
