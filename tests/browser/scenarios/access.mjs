import { createRequire } from "node:module";
import { assert, fits, id, pill, until } from "../check.mjs";

const require = createRequire(new URL("../../../web/apps/monitor/package.json", import.meta.url));
const AXE = require.resolve("axe-core/axe.min.js");
const SERIOUS = ["serious", "critical"];

/** axe-core finds nothing serious, in both themes, wide and narrow; nothing sticks out. */
export default async function ({ page, url, args }) {
  const places = ["/executions", `/executions/${args.execution}`, "/monitoring", "/nowhere"];
  // an extension's way in: the page's own policy holds no scripts of others
  const findings = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: width > 700 ? 900 : 844 });
      for (const place of places) {
        if (place === "/nowhere") {
          await page.goto(`${url}/executions`);
          await page.evaluate(() => history.pushState({}, "", "/nowhere"));
          await page.evaluate(() => dispatchEvent(new PopStateEvent("popstate", { state: {} })));
          await page.getByText("There is nothing at this address").waitFor();
        } else {
          await page.goto(url + place);
          await pill(page, "connected");
        }
        if (place.includes(args.execution)) await page.locator(id("summary")).waitFor();
        await until("the theme", () =>
          page.evaluate((wanted) => document.documentElement.dataset.theme === wanted, colorScheme),
        );
        await fits(page);
        for (const each of await audit(page)) {
          findings.push(`${colorScheme} ${width} ${place}: ${each}`);
        }
      }
    }
  }
  assert.deepEqual(findings, []);
}

async function audit(page) {
  const source = require("node:fs").readFileSync(AXE, "utf8");
  await page.evaluate(source);
  return page.evaluate(async (serious) => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations
      .filter((each) => serious.includes(each.impact))
      .flatMap((each) =>
        each.nodes.map((node) => `${each.id}: ${node.target.join(" ")} ${node.failureSummary}`),
      );
  }, SERIOUS);
}
