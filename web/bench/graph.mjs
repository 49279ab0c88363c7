/**
 * 500 nodes and 700 edges at 1,000 updates a second, as a whole and near enough to be read, still
 * and while the pointer drags it. Fails below 55 frames a second.
 *
 * node bench/graph.mjs [--nodes 500] [--edges 700] [--rate 1000] [--seconds 6]
 */
import { parseArgs } from "node:util";
import { heap, measure, withPage } from "./chromium.mjs";

const BAR = 55;
const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "500" },
    edges: { type: "string", default: "700" },
    rate: { type: "string", default: "1000" },
    seconds: { type: "string", default: "6" },
  },
});
const { seconds, ...query } = values;

await withPage("graph", query, async (page) => {
  const opened = Date.now();
  await page.waitForSelector("[data-testid=node-n0]", { timeout: 30_000 });
  console.log(
    `${values.nodes} nodes, ${values.edges} edges: there after ${Date.now() - opened} ms`,
  );
  await page.waitForTimeout(1_000);
  await page.evaluate(() => window.start());
  await page.waitForTimeout(1_000);
  const results = [];
  results.push(["whole, still", await run(page)]);
  results.push(["whole, dragged", await run(page, (until) => drag(page, until))]);
  const at = await running(page);
  await page.mouse.move(at.x, at.y);
  results.push(["zooming in", await measure(page, 2_000, () => zoom(page))]);
  results.push(["near, still", await run(page)]);
  results.push(["near, dragged", await run(page, (until) => drag(page, until))]);
  for (const [what, { fps, p99, longTasks, longest, updates }] of results) {
    const rate = updates === undefined ? "" : `${Math.round(updates)} updates/s, `;
    console.log(
      `${what.padEnd(15)} ${fps.toFixed(1).padStart(5)} fps, p99 frame ${p99.toFixed(0)} ms, ` +
        `${rate}${longTasks} long tasks (longest ${Math.round(longest)} ms)`,
    );
  }
  console.log(`heap ${(await heap(page)).toFixed(1)} MB`);
  const low = results.filter(([what, { fps }]) => what.includes("still") && fps < BAR);
  if (low.length > 0) {
    console.error(`below ${BAR} frames a second: ${low.map(([what]) => what).join("; ")}`);
    process.exitCode = 1;
  }
});

async function run(page, meanwhile) {
  const ms = Number(seconds) * 1_000;
  const before = await page.evaluate(() => window.seen());
  const found = await measure(page, ms, meanwhile);
  const after = await page.evaluate(() => window.seen());
  return { ...found, updates: (1_000 * (after - before)) / ms };
}

/** Round and round, so that it stays where it is. */
async function drag(page, until) {
  const at = { x: 720, y: 450 };
  await page.mouse.move(at.x, at.y);
  await page.mouse.down();
  for (let step = 0; Date.now() < until; step += 1) {
    const angle = step / 12;
    await page.mouse.move(at.x + 180 * Math.sin(angle), at.y + 110 * (1 - Math.cos(angle)));
    await page.waitForTimeout(12);
  }
  await page.mouse.up();
}

async function zoom(page) {
  for (let step = 0; step < 24; step += 1) {
    await page.mouse.wheel(0, -120);
    await page.waitForTimeout(40);
  }
}

/** Where the nodes are that run. */
async function running(page) {
  const box = await page.locator('[data-status="running"]').first().boundingBox();
  return { x: box.x, y: box.y };
}
