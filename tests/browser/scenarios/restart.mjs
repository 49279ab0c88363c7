import { api, assert, executionId, id, pill, shows, until } from "../check.mjs";

/** The server is killed and comes back: the pill is honest, the clock stands, nothing is missing. */
export default async function ({ page, url, say, hear }) {
  await page.goto(url);
  await page.locator(id("run-example-simulated-pipeline")).click();
  const execution = await executionId(page);
  await shows(page, "running");
  say("running");
  await hear("killed");
  await pill(page, "reconnecting");
  const clock = page.locator(id("duration"));
  await until("the clock to say that it stands", async () =>
    (await clock.getAttribute("data-ticking")) === "false",
  );
  const stood = await clock.innerText();
  await page.waitForTimeout(1_500);
  assert.equal(await clock.innerText(), stood);
  say("seen");
  await hear("back");
  await pill(page, "connected");
  await shows(page, "completed");
  const { logCount } = await api(page, `/api/executions/${execution}`);
  const tab = page.getByRole("tab", { name: /^Logs/ });
  await until("every line to be there", async () =>
    (await tab.innerText()).replaceAll(",", "").includes(String(logCount)),
  );
}
