/**
 * node browser.mjs SCENARIO JSON: runs the default export of scenarios/SCENARIO.mjs in a Chromium
 * with a fresh profile; ends with 1 and the reason if it throws, if the page had an error of its
 * own, or if its content security policy stopped something.
 *
 * The scenario gets {page, context, url, args, say, hear}: `say(word)` prints a line for the test,
 * `hear(word)` waits for its answer, a file of that name.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(new URL("../../web/apps/monitor/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** A request that fails while the server is away is the page's daily bread. */
const EXPECTED = /Failed to load resource|WebSocket connection to|net::ERR_/;

export async function openBrowser(options = {}) {
  const profile = mkdtempSync(join(tmpdir(), "runroom-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM,
    args: FLAGS,
    viewport: { width: 1440, height: 900 },
    ...options,
  });
  const faults = [];
  const watch = (page) => {
    page.setDefaultTimeout(30_000);
    page.on("pageerror", (error) => faults.push(`page error: ${error.stack ?? error}`));
    page.on("console", (message) => {
      const text = message.text();
      if (message.type() === "error" && !EXPECTED.test(text)) faults.push(`console: ${text}`);
    });
  };
  for (const page of context.pages()) watch(page);
  context.on("page", watch);
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { context, page: context.pages()[0], faults, close };
}

async function main(name, given) {
  const { url, folder, ...args } = JSON.parse(given);
  const { default: scenario, options } = await import(`./scenarios/${name}.mjs`);
  const { context, page, faults, close } = await openBrowser(options);
  const say = (word) => console.log(`@${word}`);
  const hear = async (word) => {
    while (!existsSync(join(folder, word))) await new Promise((done) => setTimeout(done, 50));
  };
  try {
    await scenario({ page, context, url, args, say, hear });
    if (faults.length > 0) throw new Error(faults.join("\n"));
  } catch (error) {
    await page.screenshot({ path: join(folder, `${name}.png`) }).catch(() => {});
    for (const fault of faults) console.error(fault);
    throw error;
  } finally {
    await close();
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [name, given] = process.argv.slice(2);
  await main(name, given);
}
