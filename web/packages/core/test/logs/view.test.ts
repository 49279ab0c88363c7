import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type EventOf, LEVELS, type Level, type LogFilter } from "../../src";
import { Log } from "../../src/logs/log";
import { pick, seeded } from "../../src/simulator/random";
import { log, numbered } from "../support/events";

const NODES = ["read", "write", undefined];
const WORDS = ["Alpha", "beta", "GAMMA", "ünïcode", "delta 42"];

function lines(count: number, after: number, random: () => number): EventOf<"log">[] {
  const made = Array.from({ length: count }, () =>
    log(`${pick(random, WORDS)} ${pick(random, WORDS)}`, {
      level: pick(random, LEVELS),
      nodeId: pick(random, NODES),
    }),
  );
  return numbered(made, after) as EventOf<"log">[];
}

function passes({ log: { level, nodeId, message } }: EventOf<"log">, filter: LogFilter): boolean {
  const { levels, nodeIds, text } = filter;
  return (
    (levels === undefined || levels.includes(level)) &&
    (nodeIds === undefined || (nodeId !== undefined && nodeIds.includes(nodeId))) &&
    (!text || message.toLowerCase().includes(text.toLowerCase()))
  );
}

const FILTERS: LogFilter[] = [
  {},
  { text: "" },
  { levels: ["error"] },
  { levels: ["info", "warning"] as Level[] },
  { levels: [] },
  { nodeIds: ["write"] },
  { nodeIds: ["nobody"] },
  { text: "gamma" },
  { text: "ÜNÏ" },
  { text: "alpha", levels: ["warning"], nodeIds: ["read", "write"] },
];

describe.each(FILTERS)("with the filter %j", (filter) => {
  it("shows what passes, as lines come and go", () => {
    const random = seeded(7);
    const book = new Log({ capacity: 2_000 }, () => {});
    const view = book.view(filter);
    const early = book.view();
    const model: EventOf<"log">[] = [];
    for (let round = 0; round < 40; round += 1) {
      const next = lines(Math.floor(random() * 300), model.length, random);
      model.push(...next);
      for (const event of next) book.append(event);
      book.flush();
      while (view.scanning || early.scanning) book.flush();
      if (round === 20) {
        early.setFilter(filter);
        while (early.scanning) book.flush();
      }
      const expected = model.slice(-2_000).filter((event) => passes(event, filter));
      expect(view.length).toBe(expected.length);
      const shown = Array.from({ length: view.length }, (_, n) => view.at(n)?.seq);
      expect(shown).toEqual(expected.map(({ seq }) => seq));
      if (round >= 20) expect(early.length).toBe(expected.length);
      const middle = model.length - 1_000;
      expect(view.countUpTo(middle)).toBe(expected.filter(({ seq }) => seq <= middle).length);
      // row indexes are seq − 1 here
      expect(view.positionOf(middle)).toBe(expected.filter(({ seq }) => seq - 1 < middle).length);
    }
    expect(view.at(-1)).toBeUndefined();
    expect(view.at(view.length)).toBeUndefined();
  });
});

describe("once a frame", () => {
  let now = 0;
  beforeEach(() => {
    now = 0;
    // each look at the clock takes a millisecond
    vi.spyOn(performance, "now").mockImplementation(() => (now += 1));
  });
  afterEach(() => void vi.restoreAllMocks());

  it("goes through a long log in slices, and takes in what comes meanwhile", () => {
    const wanted = vi.fn();
    const book = new Log({}, wanted);
    for (const event of lines(20_000, 0, seeded(1))) book.append(event);
    const view = book.view({ text: "alpha" });
    expect(view.scanning).toBe(true);
    expect(view.length).toBeGreaterThan(0);
    expect(view.scanned).toBeLessThan(20_000);
    let flushes = 0;
    while (view.scanning) {
      wanted.mockClear();
      if (flushes < 5)
        for (const event of lines(10, 20_000 + flushes * 10, seeded(2))) book.append(event);
      book.flush();
      expect(wanted.mock.calls.length > 0).toBe(view.scanning);
      flushes += 1;
    }
    expect(flushes).toBeGreaterThan(5);
    expect(view.scanned).toBe(20_050);
    expect(view.at(view.length - 1)!.seq).toBeGreaterThan(20_000);
  });

  it("changes only in a flush, and tells only when it has changed", () => {
    const book = new Log({}, () => {});
    const view = book.view({ levels: ["error"] });
    const told = vi.fn();
    view.subscribe(told);
    const version = view.getVersion();
    book.append(numbered([log("fine")])[0] as EventOf<"log">);
    book.flush();
    expect(told).not.toHaveBeenCalled();
    book.append(numbered([log("bad", { level: "error" })], 1)[0] as EventOf<"log">);
    expect(view.length).toBe(0);
    book.flush();
    expect([view.length, told.mock.calls.length]).toEqual([1, 1]);
    expect(view.getVersion()).not.toBe(version);
    book.clear();
    book.flush();
    expect([view.length, told.mock.calls.length]).toEqual([0, 2]);
    view.release();
    book.append(numbered([log("bad", { level: "error" })], 2)[0] as EventOf<"log">);
    book.flush();
    expect(told).toHaveBeenCalledTimes(2);
  });
});
