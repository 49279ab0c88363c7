import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Server } from "./support/server";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const MODULES = fileURLToPath(new URL("../../../node_modules", import.meta.url));
const run = promisify(execFile);
const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  target: "es2022",
  module: "nodenext",
};

let folder: string;
let server: Server | undefined;

/** A program of somebody who has installed the package: built, and with nothing of ours around it. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "runroom-readme-"));
  const installed = join(folder, "node_modules/@runroom/core");
  await mkdir(installed, { recursive: true });
  await cp(join(PACKAGE, "package.json"), join(installed, "package.json"));
  await symlink(join(MODULES, "socket.io-client"), join(folder, "node_modules/socket.io-client"));
  await writeFile(join(folder, "package.json"), '{"type": "module"}');
  const tsdown = join(MODULES, ".bin/tsdown");
  await run(tsdown, ["--out-dir", join(installed, "dist"), "--no-clean"], { cwd: PACKAGE });
  server = await Server.start();
  server.executor();
}, 90_000);

afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

async function program(imported: string): Promise<string[]> {
  const text = await readFile(join(PACKAGE, "README.md"), "utf8");
  const found = [...text.matchAll(/^```ts\n(import .*?)^```$/gms)].map(([, code]) => code!);
  const code = found.find((each) => each.includes(`import { ${imported} }`))!;
  await writeFile(join(folder, `${imported}.ts`), code);
  const compilerOptions = { ...STRICT, types: [], lib: ["es2023", "dom"] };
  const project = JSON.stringify({ compilerOptions, files: [`${imported}.ts`] });
  await writeFile(join(folder, "tsconfig.json"), project);
  await run(join(MODULES, ".bin/tsc"), ["-p", "."], { cwd: folder }).catch(({ stdout }) => {
    throw new Error(stdout);
  });
  const env = { ...process.env, VITE_WS_URL: server!.url };
  const { stdout } = await run("node", [`${imported}.js`], { cwd: folder, env, timeout: 30_000 });
  return stdout.trim().split("\n");
}

it("has a first example that compiles, and follows an execution to its end", async () => {
  const lines = await program("Runroom");
  expect(lines.at(-1)).toMatch(/^completed \{.*\} 4 lines$/s);
  expect(lines.some((line) => /^connected live \d+ % .*work/.test(line))).toBe(true);
}, 60_000);

it("has an example without a server that compiles and runs", async () => {
  const lines = await program("Simulator");
  expect(lines.at(-1)).toMatch(/^(completed|failed) .*\d+ ms$/);
}, 60_000);
