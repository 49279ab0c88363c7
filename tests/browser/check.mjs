/** What scenarios check, with words for what was expected. */
import assert from "node:assert/strict";

export { assert };

/** Wait until `look` gives something true, and return that. */
export async function until(what, look, ms = 30_000) {
  const deadline = Date.now() + ms;
  let last;
  while (Date.now() < deadline) {
    last = await look();
    if (last) return last;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`waited ${ms} ms for ${what}; last: ${JSON.stringify(last)}`);
}

export const id = (name) => `[data-testid="${name}"]`;

/** Wait until the execution that is shown has this status. */
export async function shows(page, status, ms = 60_000) {
  await page.locator(`${id("execution-status")}[data-status="${status}"]`).waitFor({ timeout: ms });
}

export async function pill(page, state, ms = 30_000) {
  await page.locator(`${id("connection")}[data-state="${state}"]`).waitFor({ timeout: ms });
}

/** The execution's id, out of the page's address. */
export async function executionId(page) {
  await page.waitForURL(/\/executions\/[^/?#]+/);
  return decodeURIComponent(new URL(page.url()).pathname.split("/").at(-1));
}

/** Ask the server itself. */
export async function api(page, path) {
  return page.evaluate(async (path) => {
    const token = sessionStorage.getItem("runroom.token");
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    return (await fetch(path, { headers })).json();
  }, path);
}

/** Nothing sticks out to the right. */
export async function fits(page) {
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await until("the page to be no wider than the window", async () => (await wide()) <= 0, 3_000);
}
