import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startKeyboard } from "../../src/keyboard/registry";
import ReplayBar from "../../src/replay/ReplayBar.vue";
import { completed, Feed, line, node, running, type Shown, show } from "../support/page";

let stopKeyboard = (): void => {};
let shown: Shown | undefined;

beforeEach(() => {
  stopKeyboard = startKeyboard();
});
afterEach(() => {
  shown?.wrapper.unmount();
  shown = undefined;
  stopKeyboard();
});

/** Ten events: one a second. */
async function open(query = ""): Promise<{ feed: Feed } & Shown> {
  const feed = new Feed();
  feed.say(
    running,
    node("read", "running"),
    line("one"),
    line("two"),
    node("read", "completed"),
    node("write", "running"),
    line("three"),
    node("write", "failed", { error: "no" }),
    line("four"),
    completed,
  );
  shown = await show(ReplayBar, feed, query);
  return { feed, ...shown };
}

const bar = (): HTMLElement => document.querySelector<HTMLElement>("[data-testid=replay]")!;
const part = <E extends HTMLElement>(name: string): E =>
  document.querySelector<E>(`[data-testid=replay-${name}]`)!;

async function press(key: string, shiftKey = false): Promise<void> {
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
  await shown!.settle();
}

test("live, it offers the replay; then it says that one sees the past", async () => {
  const { view, settle } = await open();
  expect(bar().dataset.state).toBe("live");
  part("start").click();
  await settle();
  expect(view.state.seq).toBe(0);
  expect(bar().dataset.state).toBe("paused");
  expect(bar().textContent).toContain("You see the past");
  part("live").click();
  await settle();
  expect(bar().dataset.state).toBe("live");
});

test("an address with a seq stands there, and steps go by event", async () => {
  const { model, view } = await open("?seq=5");
  expect(model.seq.value).toBe(5);
  expect(part("position").title).toBe("event 5 of 10, 4.0 s in");
  await press("ArrowRight");
  expect(view.state.seq).toBe(6);
  expect(model.state.value?.nodes.write?.status).toBe("running");
  await press("ArrowLeft");
  await press("ArrowLeft");
  expect(view.state.seq).toBe(4);
  expect(model.state.value?.nodes.read?.status).toBe("running");
});

test("with shift, from change to change, to the ends", async () => {
  const { view } = await open("?seq=3");
  const stops: (number | null)[] = [];
  for (let n = 0; n < 4; n += 1) {
    await press("ArrowRight", true);
    stops.push(view.state.seq);
  }
  expect(stops).toEqual([5, 6, 8, 10]);
  for (let n = 0; n < 5; n += 1) await press("ArrowLeft", true);
  expect(view.state.seq).toBe(0);
});

test("the scrubber goes to a time", async () => {
  const { view, settle } = await open("?seq=0");
  const scrubber = part<HTMLInputElement>("scrubber");
  expect(scrubber.max).toBe("9000");
  scrubber.value = "7200";
  scrubber.dispatchEvent(new Event("input"));
  await settle();
  expect(view.state.seq).toBe(8);
  expect(scrubber.getAttribute("aria-valuetext")).toBe("event 8 of 10, 7.2 s in");
});

test("failures are marked", async () => {
  await open("?seq=0");
  const failed = [...document.querySelectorAll(".marks .failed")];
  expect(failed.map((mark) => mark.getAttribute("x1"))).toEqual(["77.75%"]);
});

test("it plays, as fast as is wished, and stops at the end", async () => {
  const { model, settle } = await open("?seq=0");
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const speed = document.querySelector<HTMLSelectElement>("select")!;
  speed.value = "2";
  speed.dispatchEvent(new Event("change"));
  await press(" ");
  expect(bar().dataset.state).toBe("playing");
  now = 2_000;
  await settle();
  expect(model.seq.value).toBe(5);
  await press(" ");
  expect(bar().dataset.state).toBe("paused");
  await press(" ");
  now = 60_000;
  await settle();
  expect(model.seq.value).toBe(10);
  expect(bar().dataset.state).toBe("paused");
});

test("what has happened since is counted, and can be read", async () => {
  const feed = new Feed();
  feed.say(running, node("read", "running"));
  shown = await show(ReplayBar, feed, "?seq=1");
  feed.say(node("read", "completed"), node("write", "running"));
  await shown.settle();
  const newer = document.querySelector<HTMLElement>(".newer")!;
  expect(newer.textContent?.trim()).toBe("+2");
  newer.click();
  await shown.settle();
  expect(part("position").title).toContain("event 1 of 4");
  expect(document.querySelector(".newer")).toBeNull();
});
