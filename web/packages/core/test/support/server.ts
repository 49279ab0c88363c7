import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));
const PYTHON = process.env.RUNROOM_PYTHON ?? join(ROOT, ".venv/bin/python");
const START_MS = 20_000;

/** A real server, and an executor if one is wanted, in a folder of its own on a free port. */
export class Server {
  readonly url: string;
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #programs = new Map<string, ChildProcess>();
  #said = "";

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.url = `http://127.0.0.1:${port}`;
    this.#env = {
      PATH: process.env.PATH,
      HOME: folder,
      PYTHONPATH: ROOT,
      BFF_DEV: "1",
      BFF_ANONYMOUS: "operator",
      BFF_PORT: String(port),
      EXECUTOR_BFF_URL: this.url,
    };
  }

  static async start(): Promise<Server> {
    const server = new Server(await mkdtemp(join(tmpdir(), "runroom-web-")), await freePort());
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    this.#run("bff");
    const until = Date.now() + START_MS;
    for (;;) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
      if (answer?.ok) return;
      if (Date.now() > until || this.#programs.get("bff")?.exitCode != null) {
        throw new Error(`the server did not start:\n${this.#said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  executor(): void {
    this.#run("executor");
  }

  /** As if the machine had been switched off. */
  kill(): Promise<void> {
    return this.#end("bff", "SIGKILL");
  }

  async close(): Promise<void> {
    for (const name of [...this.#programs.keys()].reverse()) await this.#end(name, "SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }

  #run(name: string): void {
    const program = spawn(PYTHON, ["-m", name], { cwd: this.#folder, env: this.#env });
    for (const stream of [program.stdout, program.stderr]) {
      stream.on("data", (data) => {
        this.#said += data;
      });
    }
    this.#programs.set(name, program);
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const program = this.#programs.get(name)!;
    this.#programs.delete(name);
    if (program.exitCode !== null || program.signalCode !== null) return;
    const ended = new Promise((resolve) => program.once("exit", resolve));
    program.kill(signal);
    await ended;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return (address as { port: number }).port;
}
