// Write src/contract/contract.gen.ts from contract.json.
import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";

const source = new URL("../contract.json", import.meta.url);
const target = new URL("../src/contract/contract.gen.ts", import.meta.url);

const BANNER = `// Made from the server's contract by \`python -m scripts.contract_schema\` and \`npm run generate\`.
// Do not edit.
`;

/** The types of the contract, then its tables as constants. */
export async function generate() {
  const { $defs, tables } = JSON.parse(await readFile(source, "utf8"));
  const types = await compile({ title: "Contract", type: "object", $defs }, "Contract", {
    additionalProperties: false,
    bannerComment: "",
    ignoreMinAndMaxItems: true,
    unreachableDefinitions: true,
    unknownAny: true,
    enableConstEnums: false,
  });
  const own = types
    .replace(/export interface Contract \{\}\n/, "")
    .replace(
      /\/\*\*\n(?: \* This interface was referenced by `Contract`'s JSON-Schema\n \* via the `definition` "\w+"\.\n) \*\/\n/g,
      "",
    )
    .replace(
      / \*\n \* This interface was referenced by `Contract`'s JSON-Schema\n \* via the `definition` "\w+"\.\n/g,
      "",
    );
  const constants = Object.entries(tables).map(
    ([name, value]) =>
      `export const ${name.replace(/[A-Z]/g, "_$&").toUpperCase()} = ${JSON.stringify(value, null, 2)} as const;\n`,
  );
  return [BANNER, own, ...constants].join("\n").replace(/\n{3,}/g, "\n\n");
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  await writeFile(target, await generate());
}
