/** A built page in a fresh Chromium, and what it costs. For benches only. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import vue from "@vitejs/plugin-vue";
import { chromium } from "playwright-core";
import { build, preview } from "vite";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--enable-precise-memory-info",
];
/** As the server sends it: what a page must not need, it must not get here either. */
const POLICY = "default-src 'self'; style-src 'self'; script-src 'self'";

/** Build `pages/{name}`, serve it, open Chromium; undone when `work` ends, however it ends. */
export async function withPage(name, query, work) {
  const out = mkdtempSync(join(tmpdir(), "runroom-bench-"));
  const config = {
    root: fileURLToPath(new URL(`./pages/${name}`, import.meta.url)),
    configFile: false,
    logLevel: "warn",
    plugins: [vue()],
    resolve: { conditions: ["runroom-source", "module", "browser", "production"] },
    build: { outDir: out, emptyOutDir: true, assetsInlineLimit: 0, target: "es2022" },
    preview: { host: "127.0.0.1", port: 0, headers: { "Content-Security-Policy": POLICY } },
  };
  const undo = [() => rmSync(out, { recursive: true, force: true })];
  try {
    await build(config);
    const server = await preview(config);
    undo.push(() => server.close());
    const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
    const browser = await chromium.launch({ executablePath, args: FLAGS });
    undo.push(() => browser.close());
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (line) => line.type() === "error" && problems.push(line.text()));
    // a browser asks for it by itself
    await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
    await page.goto(`${server.resolvedUrls.local[0]}?${new URLSearchParams(query)}`);
    await work(page);
    if (problems.length > 0) throw new Error(`the page had trouble:\n${problems.join("\n")}`);
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

/** Frames a second, the worst of them and long tasks, while `meanwhile` goes on for `ms`. */
export async function measure(page, ms, meanwhile = async () => {}) {
  await page.evaluate(() => {
    const found = { frames: [], tasks: [], on: true };
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) found.tasks.push(duration);
    });
    observer.observe({ type: "longtask" });
    const frame = (at) => {
      found.frames.push(at);
      if (found.on) requestAnimationFrame(frame);
      else observer.disconnect();
    };
    requestAnimationFrame(frame);
    window.measured = found;
  });
  const until = Date.now() + ms;
  await meanwhile(until);
  await page.waitForTimeout(Math.max(0, until - Date.now()));
  return page.evaluate(() => {
    const { frames, tasks } = window.measured;
    window.measured.on = false;
    const gaps = frames
      .slice(1)
      .map((at, index) => at - frames[index])
      .sort((a, b) => a - b);
    const length = frames.at(-1) - frames[0];
    return {
      fps: (1_000 * (frames.length - 1)) / length,
      p99: gaps[Math.floor(gaps.length * 0.99)],
      longTasks: tasks.length,
      longest: Math.max(0, ...tasks),
    };
  });
}

/** What lives on the heap after a collection, MB. */
export async function heap(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return usedSize / 1e6;
}
