import { assert, id, pill, until } from "../check.mjs";

/** A token comes by the address once, and leaves it; without one the page says where to put it. */
export default async function ({ page, url, args }) {
  const refused = page.locator(id("token-banner"));
  await page.goto(`${url}/executions?status=failed`);
  await refused.waitFor();
  await pill(page, "error");
  await page.getByText("You are not let in").waitFor();
  await page.locator("[data-testid=token-banner] input").fill(args.token);
  await page.getByRole("button", { name: "Use token" }).click();
  await pill(page, "connected");
  await refused.waitFor({ state: "detached" });
  assert.equal(page.url(), `${url}/executions?status=failed`);

  const other = await page.context().newPage();
  await other.goto(`${url}/executions?status=failed#token=${encodeURIComponent(args.token)}`);
  await pill(other, "connected");
  assert.equal(other.url(), `${url}/executions?status=failed`);
  assert.ok(!(await other.evaluate(() => history.length > 2)), "no step back leads to the token");
  await other.reload();
  await pill(other, "connected");

  const wrong = await page.context().newPage();
  await wrong.goto(`${url}/#token=nonsense`);
  await pill(wrong, "error");
  await until("the reason", async () =>
    (await wrong.locator(id("token-banner")).innerText()).includes("does not accept this token"),
  );
  assert.ok(!wrong.url().includes("nonsense"));
}
