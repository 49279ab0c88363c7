/**
 * node scripts/screenshots.mjs FOLDER URL EXECUTIONS: pictures of every view of the page, dark and
 * light, wide and narrow. EXECUTIONS is JSON: ids by what they show. Called by screenshots.py.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openBrowser } from "../tests/browser/browser.mjs";

const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };

const [folder, url, given] = process.argv.slice(2);
const { completed, failed, running, chatty, tiles } = JSON.parse(given);
mkdirSync(folder, { recursive: true });

/** name → [address, what to do there] */
const VIEWS = {
  list: ["/executions"],
  "list-failed": ["/executions?status=failed"],
  "list-nothing": ["/executions?q=no-such-thing"],
  start: ["/executions", (page) => page.getByTestId("start").click()],
  help: [`/executions/${completed}`, (page) => page.keyboard.press("?")],
  running: [`/executions/${running}`],
  completed: [`/executions/${completed}`],
  failed: [`/executions/${failed}?tab=node&node=web`],
  graph: [`/executions/${completed}?tab=graph`],
  timeline: [`/executions/${completed}?tab=timeline`],
  node: [`/executions/${completed}?tab=node&node=papers`],
  result: [`/executions/${completed}?tab=result`],
  replay: [`/executions/${completed}?tab=timeline&seq=40`],
  logs: [`/executions/${chatty}?level=warning,error`],
  monitoring: [`/monitoring?ids=${tiles.join(",")}`],
  stats: ["/stats", (page) => page.waitForTimeout(2_500)],
  connection: ["/executions", (page) => page.getByTestId("connection").click()],
  "not-found": ["/executions/ex_nothing"],
};

const only = process.env.ONLY?.split(",");
const { page, close } = await openBrowser();
try {
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const [name, [address, act]] of Object.entries(VIEWS)) {
        if (only && !only.includes(name)) continue;
        await page.goto(url + address);
        await page.locator('[data-testid=connection][data-state="connected"]').waitFor();
        await page.waitForTimeout(700);
        await act?.(page);
        await page.waitForTimeout(300);
        await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`) });
      }
    }
  }
} finally {
  await close();
}
