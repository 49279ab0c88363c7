import { api, assert, executionId, fits, id, pill, shows, until } from "../check.mjs";

/** An empty list, one click, and the example is watched to its end. */
export default async function ({ page, url }) {
  await page.goto(url);
  await pill(page, "connected");
  await page.locator("[data-testid^=run-example-]").first().click();
  const execution = await executionId(page);
  await shows(page, "running");
  assert.match(await page.title(), /^▶ \d+ % Simulated research pipeline · Runroom$/);
  await shows(page, "completed");
  assert.equal(await page.locator(id("progress")).getAttribute("data-progress"), "100");
  await page.locator(id("summary")).getByText("Completed", { exact: true }).waitFor();
  assert.match(await page.title(), /^✓ Simulated research pipeline · Runroom$/);
  assert.match(await page.locator("link[rel=icon]").getAttribute("href"), /^data:image\/svg\+xml/);
  const state = await api(page, `/api/executions/${execution}`);
  assert.equal(state.status, "completed");
  await until("every node to be shown as it ended", async () => {
    for (const node of Object.values(state.nodes)) {
      const shown = page.locator(id(`node-${node.nodeId}`)).first();
      if ((await shown.getAttribute("data-status")) !== node.status) return false;
    }
    return true;
  });
  await page.getByRole("tab", { name: "Result" }).click();
  await page.getByRole("heading", { name: "Result" }).waitFor();
  await until("the tab in the address", () => page.url().includes("tab=result"));
  await fits(page);
}
