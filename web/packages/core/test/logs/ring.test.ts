import { describe, expect, it } from "vitest";
import { type EventOf, LogRing } from "../../src";
import { between, pick, seeded } from "../../src/simulator/random";
import { at, ID, log, numbered } from "../support/events";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function line(seq: number, message: string, more: object = {}): EventOf<"log"> {
  return numbered([log(message, { createdAt: at(seq), ...more })], seq - 1)[0] as EventOf<"log">;
}

it("gives back what was put in", () => {
  const ring = new LogRing();
  ring.append(line(7, "plain"));
  ring.append(
    line(9, "ä ← \u2028 🚀 \u001b[31mred", {
      id: "ünïque",
      level: "error",
      nodeId: "read",
      metadata: { traceback: "…", list: [1, null, "é"] },
    }),
  );
  ring.append(line(10, "", { id: `${ID}:10`, metadata: null }));
  expect([ring.first, ring.end, ring.length, ring.dropped]).toEqual([0, 3, 3, 0]);
  expect(ring.row(0)).toEqual({
    index: 0,
    seq: 7,
    id: "line-plain",
    time: Date.parse(at(7)),
    level: "info",
    nodeId: null,
    message: "plain",
    metadata: undefined,
  });
  expect(ring.row(1)).toMatchObject({
    id: "ünïque",
    level: "error",
    nodeId: "read",
    message: "ä ← \u2028 🚀 \u001b[31mred",
    metadata: { traceback: "…", list: [1, null, "é"] },
  });
  expect(ring.row(2)).toMatchObject({ id: `${ID}:10`, message: "", metadata: undefined });
  expect(ring.row(3)).toBeUndefined();
  expect(ring.row(-1)).toBeUndefined();
});

it("lets the oldest go, and keeps the numbers of the others", () => {
  const ring = new LogRing({ capacity: 3_000 });
  for (let seq = 1; seq <= 10_000; seq += 1) ring.append(line(seq * 2, `line ${seq}`));
  expect([ring.first, ring.end, ring.dropped]).toEqual([7_000, 10_000, 7_000]);
  expect(ring.row(6_999)).toBeUndefined();
  expect(ring.row(7_000)).toMatchObject({ seq: 14_002, message: "line 7001" });
  expect(ring.row(9_999)).toMatchObject({ seq: 20_000, message: "line 10000" });
  expect(ring.rowOfSeq(0)).toBe(7_000);
  expect(ring.rowOfSeq(14_003)).toBe(7_001);
  expect(ring.rowOfSeq(20_001)).toBe(10_000);
});

it("is bounded in bytes too: long lines push out more", () => {
  const ring = new LogRing({ capacity: 100_000, maxBytes: 2_000_000 });
  for (let seq = 1; seq <= 20_000; seq += 1) ring.append(line(seq, "x".repeat(100)));
  for (let seq = 20_001; seq <= 20_020; seq += 1) {
    ring.append(line(seq, "y".repeat(900_000), { id: `${seq}` }));
  }
  expect(ring.bytes).toBeLessThan(5_000_000);
  // not toBe: what it prints would be as long
  expect(ring.row(ring.end - 1)?.message === "y".repeat(900_000)).toBe(true);
  for (let seq = 20_021; seq <= 21_000; seq += 1) ring.append(line(seq, "short"));
  expect(ring.row(ring.end - 1)?.message).toBe("short");
  expect(ring.row(ring.end - 979)?.message).toBe("short");
});

it("starts small", () => {
  const ring = new LogRing();
  ring.append(line(1, "one"));
  expect(ring.bytes).toBeLessThan(400_000);
});

it("forgets, and goes on counting", () => {
  const ring = new LogRing({ capacity: 100 });
  for (let seq = 1; seq <= 150; seq += 1) ring.append(line(seq, `before ${seq}`));
  ring.clear();
  expect([ring.first, ring.end, ring.length, ring.dropped]).toEqual([150, 150, 0, 0]);
  for (let seq = 151; seq <= 200; seq += 1) ring.append(line(seq, `after ${seq}`));
  expect(ring.row(149)).toBeUndefined();
  expect(ring.row(150)?.message).toBe("after 151");
  expect(ring.row(199)?.message).toBe("after 200");
});

describe.each([1, 2, 3, 4])("like a list, at random (seed %i)", (seed) => {
  const random = seeded(seed);
  const capacity = pick(random, [1, 7, 1_024, 1_500]);
  const alphabet = ["a", "é", "\u2028", "🚀", "\ud800", "世"];

  it(`with a capacity of ${capacity}`, () => {
    const ring = new LogRing({ capacity });
    const model: { index: number; message: string; metadata: unknown; id: string }[] = [];
    for (let index = 0; index < 6_000; index += 1) {
      const length = random() < 0.001 ? 300_000 : Math.floor(between(random, 0, 60));
      const message = pick(random, alphabet).repeat(length);
      const metadata = random() < 0.2 ? { text: pick(random, ["a", "世"]) } : undefined;
      const id = random() < 0.5 ? `${ID}:${index + 1}` : `id-${index}-ö`;
      ring.append(line(index + 1, message, { id, metadata }));
      // UTF-8 has no lone surrogates, and the server lets none in
      model.push({ index, message: decoder.decode(encoder.encode(message)), metadata, id });
      if (model.length > capacity) model.shift();
      if (index % 997 !== 0 && index < 5_990) continue;
      expect([ring.first, ring.end]).toEqual([model[0]!.index, index + 1]);
      for (const { index: known, ...expected } of [model[0]!, model.at(-1)!, pick(random, model)]) {
        const { message, metadata, id } = ring.row(known)!;
        expect(message === expected.message).toBe(true);
        expect({ metadata, id }).toEqual({ metadata: expected.metadata, id: expected.id });
      }
    }
  });
});

describe("what is searched for", () => {
  const SAID = [
    "Timeout while reading",
    "KELVIN: 3 \u212a", // the sign for kelvin is k in lower case
    "\u0130stanbul", // and this one is i and a dot
    "größe ÜBER alles",
    "aaaab",
    "AaAaB",
    "",
    "x".repeat(300_000).concat("End"),
  ];
  const NEEDLES = [
    "timeout",
    "TIME",
    "k",
    "3 k",
    "i",
    "ÜBER",
    "größe",
    "aab",
    "ab",
    "b",
    "end",
    "g ",
    "zz",
  ];

  it.each(NEEDLES)("%s is found in any case, as in strings", (needle) => {
    const ring = new LogRing();
    SAID.forEach((message, n) => {
      // metadata and id lie behind the message and are not searched
      ring.append(line(n + 1, message, { id: "timeout", metadata: { text: "timeout" } }));
    });
    const has = ring.having(needle);
    const expected = SAID.map((said) => said.toLowerCase().includes(needle.toLowerCase()));
    expect(SAID.map((_, index) => has(index))).toEqual(expected);
  });

  it("is found wherever lines lie, also when they have gone round", () => {
    const random = seeded(11);
    const ring = new LogRing({ capacity: 500 });
    const said: string[] = [];
    for (let seq = 1; seq <= 2_000; seq += 1) {
      const letters = Array.from({ length: between(random, 0, 12) }, () =>
        pick(random, ["a", "B", "é", "K", "\u212a"]),
      );
      said.push(letters.join(""));
      ring.append(line(seq, said.at(-1)!));
    }
    for (const needle of ["ab", "bk", "kb", "éa", "aab", "kk"]) {
      const has = ring.having(needle);
      for (let index = ring.first; index < ring.end; index += 1) {
        expect(has(index)).toBe(said[index]!.toLowerCase().includes(needle));
      }
    }
  });
});
