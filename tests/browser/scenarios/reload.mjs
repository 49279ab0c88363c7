import { api, assert, executionId, id, pill, shows, until } from "../check.mjs";

/** Who reloads in the middle has lost nothing. */
export default async function ({ page, url }) {
  await page.goto(url);
  await page.locator(id("run-example-simulated-pipeline")).click();
  const execution = await executionId(page);
  const progress = () => page.locator(id("progress")).getAttribute("data-progress").then(Number);
  await until("some progress", async () => (await progress()) >= 20);
  const before = await progress();
  await page.reload();
  await page.locator(id("progress")).waitFor();
  assert.ok((await progress()) >= before, "no progress is lost");
  await pill(page, "connected");
  await shows(page, "completed");
  const { logCount } = await api(page, `/api/executions/${execution}`);
  const tab = page.getByRole("tab", { name: /^Logs/ });
  await until("every line to be there", async () =>
    (await tab.innerText()).replaceAll(",", "").includes(String(logCount)),
  );
}
