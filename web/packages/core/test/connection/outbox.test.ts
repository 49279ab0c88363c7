import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Outbox, RunroomError } from "../../src";

const offline = () => new RunroomError("unreachable", "the server cannot be reached");

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("does what it can at once, in order", async () => {
  const outbox = new Outbox();
  const done: number[] = [];
  const ask = (n: number) =>
    outbox.push(async () => {
      done.push(n);
      return n * 2;
    });
  expect(await Promise.all([ask(1), ask(2), ask(3)])).toEqual([2, 4, 6]);
  expect(done).toEqual([1, 2, 3]);
  expect(outbox.size).toBe(0);
});

it("keeps what cannot be done, and goes on when it is woken", async () => {
  const outbox = new Outbox({ retryMs: 60_000 });
  const first = vi.fn<() => Promise<string>>().mockRejectedValueOnce(offline());
  first.mockResolvedValueOnce("one");
  const second = vi.fn(async () => "two");
  const answers = Promise.all([outbox.push(first), outbox.push(second)]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([first.mock.calls.length, second.mock.calls.length, outbox.size]).toEqual([1, 0, 2]);
  outbox.wake();
  expect(await answers).toEqual(["one", "two"]);
});

it("tries again by itself", async () => {
  const outbox = new Outbox({ retryMs: 1_000 });
  const run = vi.fn<() => Promise<string>>().mockRejectedValueOnce(offline());
  run.mockRejectedValueOnce(offline()).mockResolvedValueOnce("done");
  const answer = outbox.push(run);
  await vi.advanceTimersByTimeAsync(2_100);
  expect(await answer).toBe("done");
  expect(run).toHaveBeenCalledTimes(3);
});

it("hands on what the server refuses, and goes on with the next", async () => {
  const outbox = new Outbox();
  const refused = outbox.push(async () => {
    throw new RunroomError("sealed", "it has ended");
  });
  const next = outbox.push(async () => "next");
  await expect(refused).rejects.toMatchObject({ code: "sealed" });
  expect(await next).toBe("next");
});

it("refuses more than its limit, and everything once it is closed", async () => {
  const outbox = new Outbox({ limit: 2 });
  const waiting = [1, 2].map(() => outbox.push(() => Promise.reject(offline())));
  const refused = Promise.allSettled(waiting);
  await expect(outbox.push(async () => 3)).rejects.toMatchObject({ code: "queue_full" });
  outbox.close();
  for (const result of await refused) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: "closed" } });
  }
  expect(outbox.size).toBe(0);
});
