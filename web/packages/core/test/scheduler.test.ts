import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Scheduler } from "../src";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A browser's frames; none come while the tab is hidden. */
function frames() {
  const callbacks = new Map<number, () => void>();
  let next = 0;
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => {
    next += 1;
    callbacks.set(next, callback);
    return next;
  });
  vi.stubGlobal("cancelAnimationFrame", (id: number) => callbacks.delete(id));
  return () => {
    for (const [id, callback] of [...callbacks]) {
      callbacks.delete(id);
      callback();
    }
  };
}

it("runs each task once a frame", () => {
  const frame = frames();
  const scheduler = new Scheduler();
  const [one, two] = [vi.fn(), vi.fn()];
  for (let n = 0; n < 3; n += 1) scheduler.request(one);
  scheduler.request(two);
  scheduler.cancel(two);
  expect(one).not.toHaveBeenCalled();
  frame();
  vi.advanceTimersByTime(1_000);
  frame();
  expect([one.mock.calls.length, two.mock.calls.length]).toEqual([1, 0]);
});

it("runs by a timer in a hidden tab, also when it is hidden after it was asked", () => {
  frames();
  const scheduler = new Scheduler();
  const task = vi.fn();
  scheduler.request(task);
  vi.advanceTimersByTime(249);
  expect(task).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(task).toHaveBeenCalledTimes(1);
});

it("runs by a timer without a browser; what is asked for meanwhile comes with the next", () => {
  const scheduler = new Scheduler();
  const task = vi.fn(() => {
    if (task.mock.calls.length < 3) scheduler.request(task);
  });
  scheduler.request(task);
  vi.advanceTimersByTime(16);
  expect(task).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(100);
  expect(task).toHaveBeenCalledTimes(3);
});
