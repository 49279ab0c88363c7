import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type EffectScope, effectScope } from "vue";
import {
  type Shortcut,
  shortcutGroups,
  startKeyboard,
  useShortcuts,
} from "../../src/keyboard/registry";

let scopes: EffectScope[] = [];
let stop: () => void;

beforeEach(() => {
  stop = startKeyboard();
});
afterEach(() => {
  stop();
  for (const scope of scopes) scope.stop();
  scopes = [];
  document.body.replaceChildren();
});

function register(keys: string, more: Partial<Shortcut> = {}, group = "Test") {
  const run = vi.fn();
  const scope = effectScope();
  scope.run(() => useShortcuts(group, [{ keys, label: keys, run, ...more }]));
  scopes.push(scope);
  return { run, scope };
}

function press(key: string, more: KeyboardEventInit = {}, target: EventTarget = document.body) {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  target.dispatchEvent(event);
  return event;
}

test("a key runs its shortcut, and the browser does not have it", () => {
  const { run } = register("j");
  expect(press("j").defaultPrevented).toBe(true);
  expect(press("x").defaultPrevented).toBe(false);
  expect(run).toHaveBeenCalledTimes(1);
});

test("the browser keeps what is pressed with Ctrl, Alt or Meta", () => {
  const { run } = register("r");
  for (const modifier of ["ctrlKey", "altKey", "metaKey"]) {
    expect(press("r", { [modifier]: true }).defaultPrevented).toBe(false);
  }
  expect(run).not.toHaveBeenCalled();
});

test("Shift is named only where it makes no other character", () => {
  const question = register("?");
  const back = register("Shift+ArrowLeft");
  press("?", { shiftKey: true });
  press("ArrowLeft");
  expect(back.run).not.toHaveBeenCalled();
  press("ArrowLeft", { shiftKey: true });
  expect([question.run.mock.calls.length, back.run.mock.calls.length]).toEqual([1, 1]);
});

test("two keys in a row are one shortcut, if they come soon", () => {
  vi.useFakeTimers();
  const { run } = register("g e");
  const single = register("e");
  press("g");
  press("e");
  expect([run.mock.calls.length, single.run.mock.calls.length]).toEqual([1, 0]);
  press("g");
  vi.advanceTimersByTime(1_500);
  press("e");
  expect([run.mock.calls.length, single.run.mock.calls.length]).toEqual([1, 1]);
  vi.useRealTimers();
});

test("who types in a field types", () => {
  const { run } = register("j");
  const leave = register("Escape", { inFields: true });
  for (const name of ["input", "textarea", "select"]) {
    const field = document.createElement(name);
    document.body.append(field);
    press("j", {}, field);
    press("Escape", {}, field);
  }
  expect([run.mock.calls.length, leave.run.mock.calls.length]).toEqual([0, 3]);
  const box = document.createElement("input");
  box.type = "checkbox";
  document.body.append(box);
  press("j", {}, box);
  expect(run).toHaveBeenCalledTimes(1);
});

test("the latest wins, as long as it is there and its condition holds", () => {
  const below = register("j");
  let holds = true;
  const above = register("j", { when: () => holds });
  press("j");
  holds = false;
  press("j");
  holds = true;
  above.scope.stop();
  press("j");
  expect([above.run.mock.calls.length, below.run.mock.calls.length]).toEqual([1, 2]);
});

test("under an open dialog only the dialog's own keys count", () => {
  const page = register("j");
  const own = register("?", {}, "Dialog");
  const dialog = document.createElement("dialog");
  dialog.setAttribute("open", "");
  document.body.append(dialog);
  press("j");
  press("?");
  expect([page.run.mock.calls.length, own.run.mock.calls.length]).toEqual([0, 1]);
});

test("the help has what is registered, and no more", () => {
  const before = shortcutGroups().length;
  const { scope } = register("j");
  expect(shortcutGroups()).toHaveLength(before + 1);
  scope.stop();
  expect(shortcutGroups()).toHaveLength(before);
});
