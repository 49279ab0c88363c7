import { assert, fits, id, until } from "../check.mjs";

/** Several at once, each with its own progress and lines; the address has them all. */
export default async function ({ page, url }) {
  await page.goto(`${url}/monitoring`);
  await page.getByRole("button", { name: "Start 4" }).click();
  const tiles = page.locator(id("tile"));
  await until("four tiles", async () => (await tiles.count()) === 4);
  await until("all of them to run", async () =>
    (await page.locator(`${id("tile")}[data-status=running]`).count()) === 4,
  );
  await until("lines in each", async () =>
    (await page.locator(`${id("tile")} .lines li:not(.faint)`).count()) >= 8,
  );
  await until("all ids in the address", () => new URL(page.url()).searchParams.get("ids")?.split(",").length === 4);
  await tiles.first().getByRole("button", { name: "Put this tile away" }).click();
  await until("three tiles", async () => (await tiles.count()) === 3);
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  assert.equal(await tiles.count(), 3);
}
