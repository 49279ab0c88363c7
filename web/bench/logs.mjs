/**
 * 5,000 lines a second into a log of 200,000: followed, full, scrolled through, filtered and
 * wrapped; then together with a graph whose nodes move 1,000 times a second, in batches of 50 ms.
 * Fails below 55 (together: 50) frames a second, and above 60 MB of heap.
 *
 * node bench/logs.mjs [--only log|both] [--rate 5000] [--moves 1000] [--nodes 500] [--seconds 5]
 */
import { parseArgs } from "node:util";
import { measure, withPage } from "./chromium.mjs";

const BAR = 55;
const BAR_BOTH = 50;
const HEAP_MB = 60;
const FULL = 200_000;
const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rate: { type: "string", default: "5000" },
    moves: { type: "string", default: "1000" },
    nodes: { type: "string", default: "500" },
    seconds: { type: "string", default: "5" },
  },
});
const rate = Number(values.rate);
const ms = Number(values.seconds) * 1_000;
const low = [];

function report(what, { fps, p99, longTasks, longest }, bar) {
  console.log(
    `${what.padEnd(24)} ${fps.toFixed(1).padStart(5)} fps, p99 frame ${p99.toFixed(0)} ms, ` +
      `${longTasks} long tasks (longest ${Math.round(longest)} ms)`,
  );
  if (fps < bar) low.push(`${what} below ${bar} fps`);
}

/** What lives after a collection, the lines' own memory outside the garbage collector included. */
async function memory(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize, backingStorageSize = 0 } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  const held = await page.evaluate(() => window.feed.store.logs.bytes);
  return { heap: usedSize / 1e6, buffers: Math.max(held, backingStorageSize) / 1e6 };
}

const lines = (page) => page.evaluate(() => window.feed.store.logs.end);

async function log(page) {
  await page.waitForSelector("[data-testid=logs]");
  const bare = await memory(page);
  await page.evaluate((each) => window.feed.start(each, 0), rate);
  await page.waitForTimeout(500);
  const before = await lines(page);
  report("followed, from nothing", await measure(page, ms), BAR);
  const came = ((await lines(page)) - before) / (ms / 1_000);
  console.log(`                         ${Math.round(came)} lines/s came`);
  if (came < rate * 0.95) low.push(`only ${Math.round(came)} lines/s came`);

  // so that it fills up, and old lines give way, while it is measured
  const missing = FULL - (await lines(page)) - rate * 2;
  await page.evaluate((some) => window.feed.fill(some), missing);
  await page.waitForTimeout(500);
  report("followed, filling up", await measure(page, ms), BAR);

  await page.mouse.move(700, 500);
  const wheel = async (until) => {
    for (let step = 0; Date.now() < until; step += 1) {
      await page.mouse.wheel(0, step % 60 < 40 ? -400 : 300);
      await page.waitForTimeout(16);
    }
  };
  report("full, scrolled", await measure(page, ms, wheel), BAR);
  await page.evaluate(() => window.view.set({ text: "went on" }));
  report("full, searched", await measure(page, ms), BAR);
  await page.keyboard.press("G");
  report("full, searched, followed", await measure(page, ms), BAR);
  await page.evaluate(() => window.view.set({ text: "", wrap: true }));
  await page.waitForTimeout(300);
  await page.keyboard.press("G");
  report("full, wrapped, followed", await measure(page, ms), BAR);
  await page.evaluate(() => window.feed.stop());
  await page.waitForTimeout(300);

  const { heap, buffers } = await memory(page);
  console.log(
    `heap ${heap.toFixed(1)} MB and ${buffers.toFixed(1)} MB of buffers for ${await page.evaluate(
      () => window.feed.store.logs.length,
    )} lines (${bare.heap.toFixed(1)} MB before the first)`,
  );
  const kept = await page.evaluate(() => window.feed.store.logs.length);
  if (kept !== FULL) low.push(`${kept} lines, not ${FULL}`);
  if (heap + buffers > HEAP_MB) low.push(`more than ${HEAP_MB} MB`);
}

async function both(page) {
  await page.waitForSelector("[data-testid=node-n0]", { timeout: 30_000 });
  await page.waitForTimeout(1_000);
  await page.evaluate(
    ([each, moves]) => window.feed.start(each, moves),
    [rate, Number(values.moves)],
  );
  await page.waitForTimeout(1_000);
  const before = await page.evaluate(() => window.feed.seq);
  report(`with ${values.nodes} nodes`, await measure(page, 2 * ms), BAR_BOTH);
  const came = ((await page.evaluate(() => window.feed.seq)) - before) / ((2 * ms) / 1_000);
  console.log(`                         ${Math.round(came)} events/s came`);
  if (came < (rate + Number(values.moves)) * 0.95) low.push(`only ${Math.round(came)} events/s`);
}

if (values.only !== "both") await withPage("logs", {}, log);
if (values.only !== "log") await withPage("logs", { nodes: values.nodes }, both);
if (low.length > 0) {
  console.error(low.join("; "));
  process.exitCode = 1;
}
