import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
// @ts-expect-error: a script without types
import { generate } from "../../scripts/contract-types.mjs";

it("has the contract's types as they are now", async () => {
  const file = new URL("../../src/contract/contract.gen.ts", import.meta.url);
  expect(readFileSync(file, "utf8"), "run npm run generate").toBe(await generate());
});
