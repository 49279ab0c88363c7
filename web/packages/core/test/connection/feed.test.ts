import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Event, RunroomError } from "../../src";
import { Feed, type Wire } from "../../src/connection/feed";
import type { Subscribed } from "../../src/contract/types";
import type { Sink } from "../../src/execution/source";
import { seeded } from "../../src/simulator/random";
import { ID, log, numbered, start } from "../support/events";

/** Takes notes of all that a feed says. */
function notes() {
  const seqs: number[] = [];
  const said: string[] = [];
  const sink: Sink = {
    started: (_, head) => said.push(`started ${head}`),
    event: ({ seq }) => seqs.push(seq),
    reset: (reason) => {
      said.push(`reset ${reason}`);
      if (reason === "ahead") seqs.length = 0;
    },
    presence: () => said.push("presence"),
    executor: () => said.push("executor"),
    failed: ({ code }) => said.push(`failed ${code}`),
  };
  return { seqs, said, sink };
}

/** A wire whose requests are answered by hand. */
function byHand() {
  const asked: { after: number; answer: (head: number) => void; refuse: (code: string) => void }[] =
    [];
  const wire = {
    open: true as boolean,
    subscribe: (_: string, after: number) =>
      new Promise<Subscribed>((resolve, reject) => {
        asked.push({
          after,
          answer: (head) => resolve({ executionId: ID, head, state: start() }),
          refuse: (code) => reject(new RunroomError(code, code)),
        });
      }),
    moved: vi.fn(),
    closed: vi.fn(),
  } satisfies Wire;
  return { wire, asked };
}

const events = numbered(Array.from({ length: 300 }, (_, n) => log(`${n + 1}`)));
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a feed", () => {
  function made(after = 0) {
    const { wire, asked } = byHand();
    const { sink, seqs, said } = notes();
    const feed = new Feed(ID, sink, after, wire);
    const receive = (...numbers: number[]) => {
      for (const seq of numbers) feed.receive(events[seq - 1]!);
    };
    return { feed, wire, asked, seqs, said, receive };
  }

  it("goes on after the last seq when the connection is back", async () => {
    const { feed, asked, seqs, receive } = made();
    feed.ask();
    asked[0]!.answer(2);
    await settle();
    receive(1, 2, 3);
    feed.lost();
    feed.ask();
    expect(asked.map(({ after }) => after)).toEqual([0, 3]);
    asked[1]!.answer(5);
    await settle();
    receive(4, 5);
    expect(seqs).toEqual([1, 2, 3, 4, 5]);
  });

  it("is behind until it has what the server had told of", async () => {
    const { feed, asked, receive } = made();
    expect(feed.behind).toBe(false);
    feed.ask();
    expect(feed.behind).toBe(true);
    asked[0]!.answer(2);
    await settle();
    receive(1);
    expect(feed.behind).toBe(true);
    receive(2);
    expect(feed.behind).toBe(false);
  });

  it("drops what comes twice", async () => {
    const { feed, asked, seqs, receive } = made();
    feed.ask();
    asked[0]!.answer(0);
    await settle();
    receive(1, 1, 2, 1, 2, 3);
    expect(seqs).toEqual([1, 2, 3]);
    expect(feed.counts).toEqual({ repeats: 3, holes: 0 });
  });

  it("asks again when one is missing, once, and passes nothing on meanwhile", async () => {
    const { feed, asked, seqs, receive } = made();
    feed.ask();
    asked[0]!.answer(0);
    await settle();
    receive(1, 2, 4, 5, 6);
    expect(asked.map(({ after }) => after)).toEqual([0, 2]);
    asked[1]!.answer(6);
    await settle();
    receive(3, 4, 5, 6, 7);
    expect(seqs).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(feed.counts).toEqual({ repeats: 0, holes: 1 });
  });

  it("makes no storm of a hole that does not close", async () => {
    const { feed, asked, receive } = made();
    feed.ask();
    for (let round = 0; round < 50; round += 1) {
      asked.at(-1)!.answer(9);
      await settle();
      receive(9);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(asked.length).toBeLessThanOrEqual(8);
    expect(asked.length).toBeGreaterThanOrEqual(5);
  });

  it("takes no heed of an answer that was overtaken", async () => {
    const { feed, asked, said } = made();
    feed.ask();
    feed.lost();
    feed.ask();
    asked[0]!.answer(1);
    asked[1]!.answer(2);
    await settle();
    expect(said).toEqual(["started 2"]);
  });

  it("begins again when the server's log is shorter, and ends when it is deleted", async () => {
    const { feed, asked, seqs, said, receive, wire } = made(100);
    feed.ask();
    asked[0]!.answer(2);
    await settle();
    feed.reset("ahead");
    receive(1, 2);
    expect(seqs).toEqual([1, 2]);
    feed.reset("deleted");
    receive(3);
    feed.ask();
    expect([seqs, said, asked.length]).toEqual([
      [1, 2],
      ["started 2", "reset ahead", "reset deleted"],
      1,
    ]);
    expect(wire.moved).toHaveBeenCalled();
  });

  it("passes a refusal on, and tries again if the server cannot answer now", async () => {
    const { feed, asked, said } = made();
    feed.ask();
    asked[0]!.refuse("unavailable");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toHaveLength(2);
    asked[1]!.refuse("not_found");
    await settle();
    expect(said).toEqual(["failed not_found"]);
    expect(feed.behind).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(2);
  });

  it("leaves it to the next connection if this one was lost meanwhile", async () => {
    const { feed, asked, said, wire } = made();
    feed.ask();
    wire.open = false;
    asked[0]!.refuse("offline");
    await vi.advanceTimersByTimeAsync(60_000);
    expect([asked.length, said.length]).toEqual([1, 0]);
  });
});

/** A server that keeps a log, on a line that loses, repeats and breaks off. */
class BadLine implements Wire {
  open = true;
  feed!: Feed;
  readonly #random: () => number;
  #stream = 0;
  breaks = 0;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  async subscribe(_: string, after: number): Promise<Subscribed> {
    this.#stream += 1;
    const stream = this.#stream;
    await sleep(this.#random() * 30);
    if (stream !== this.#stream || !this.open) throw new RunroomError("offline", "lost");
    void this.#send(stream, events.slice(after));
    return { executionId: ID, head: events.length, state: null };
  }

  moved(): void {}
  closed(): void {}

  async #send(stream: number, rest: readonly Event[]): Promise<void> {
    for (const event of rest) {
      await sleep(1);
      const luck = this.#random();
      if (stream !== this.#stream) {
        // what was on its way when another subscription was asked for still arrives
        if (luck < 0.5) this.feed.receive({ ...event });
        return;
      }
      if (luck < 0.01) return this.#break();
      if (luck < 0.03) continue;
      this.feed.receive({ ...event });
      if (luck < 0.06) this.feed.receive({ ...event });
    }
  }

  #break(): void {
    this.breaks += 1;
    this.#stream += 1;
    this.open = false;
    this.feed.lost();
    setTimeout(() => {
      this.open = true;
      this.feed.ask();
    }, 20);
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it.each(Array.from({ length: 25 }, (_, seed) => seed))(
  "has every event once and in order, whatever the line does (seed %i)",
  async (seed) => {
    const line = new BadLine(seed);
    const { sink, seqs } = notes();
    line.feed = new Feed(ID, sink, 0, line);
    line.feed.ask();
    // a last event that is lost shows with the next connection only: so there is one
    for (let round = 0; round < 300 && seqs.length < events.length; round += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      if (round % 10 === 9) line.feed.ask();
    }
    expect(seqs).toEqual(events.map(({ seq }) => seq));
    expect(line.feed.counts.holes + line.breaks).toBeGreaterThan(0);
  },
);
