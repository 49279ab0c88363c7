import { assert, executionId, id, until } from "../check.mjs";

/** Filters stand in the address; the keyboard alone opens a row; a cancel shows in the list. */
export default async function ({ page, url, args }) {
  const rows = page.locator(id("execution-row"));
  await page.goto(`${url}/executions`);
  await until("all rows", async () => (await rows.count()) === args.count);
  await page.getByRole("button", { name: /^Failed/ }).click();
  await until("the failed alone", async () => (await rows.count()) === args.failed);
  assert.equal(new URL(page.url()).search, "?status=failed");
  await page.reload();
  await until("the same after a reload", async () => (await rows.count()) === args.failed);
  await page.getByRole("button", { name: /^All/ }).click();
  await page.keyboard.press("/");
  await page.keyboard.type("fails");
  await until("the search", async () => (await rows.count()) === args.failed);
  assert.equal(new URL(page.url()).search, "?q=fails");
  await page.keyboard.press("Escape");
  await page.goto(`${url}/executions`);
  await until("all rows", async () => (await rows.count()) === args.count);

  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  assert.equal(await executionId(page), args.newest);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor({ state: "detached" });
  await page.locator(id("cancel")).click();
  await page.locator(`${id("execution-status")}[data-status=cancelled]`).waitFor();
  await page.keyboard.press("u");
  await page.locator(`${id("execution-row")}[data-status=cancelled]`).first().waitFor();
}
