import { api, assert, executionId, id, shows } from "../check.mjs";

/** The form: JSON is checked before it is sent, and the input arrives. */
export default async function ({ page, url }) {
  await page.goto(`${url}/executions`);
  await page.keyboard.press("n");
  const confirm = page.locator(id("start-confirm"));
  await page.locator(id("start-workflow")).selectOption("example:simulated-pipeline");
  await page.locator(id("start-input")).fill('{"seed": 7');
  await page.getByText(/^Not JSON/).waitFor();
  assert.ok(await confirm.isDisabled());
  await page.locator(id("start-input")).fill('{"seed": 7}');
  await page.getByLabel("Priority").fill("3");
  await confirm.click();
  const execution = await executionId(page);
  await shows(page, "running");
  const state = await api(page, `/api/executions/${execution}`);
  assert.deepEqual([state.input, state.priority], [{ seed: 7 }, 3]);
}
