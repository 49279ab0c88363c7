import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  Draft,
  type Event,
  type ExecutionState,
  fold,
  initial,
  type RunroomError,
  recordOf,
} from "../../src";

const FOLDER = new URL("../../../../../tests/contract/vectors/", import.meta.url);

interface Vector {
  name: string;
  record: object;
  initial: ExecutionState;
  steps: { event: Event; changes: Partial<ExecutionState>; nodes: ExecutionState["nodes"] }[];
  ends: Record<string, unknown>;
  refused: { seq: number; event: Event; code: string }[];
}

const vectors: Vector[] = readdirSync(FOLDER).map((name) =>
  JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")),
);

/** As the server hands them out: its edge has brought the times into one form. */
function eventsOf(vector: Vector): Event[] {
  return vector.steps.map(({ event }) => ({
    ...event,
    timestamp: new Date(event.timestamp).toISOString(),
  }));
}

/** The expected state after each prefix, the empty one first. */
function states(vector: Vector): ExecutionState[] {
  const found = [vector.initial];
  for (const { changes, nodes } of vector.steps) {
    const last = found.at(-1)!;
    found.push({ ...last, ...changes, nodes: { ...last.nodes, ...nodes } });
  }
  return found;
}

function at(value: unknown, path: string): unknown {
  return path.split(".").reduce((inner, part) => (inner as never)?.[part] ?? null, value);
}

/** Nobody may write to it: what a fold changes it must have copied. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

it("has the shared vectors", () => expect(vectors.length).toBeGreaterThanOrEqual(13));

describe.each(vectors)("the vector $name", (vector) => {
  const events = eventsOf(vector);
  const start = frozen(initial(recordOf(vector.initial)));

  it("begins as the server's fold", () => expect(start).toEqual(vector.initial));

  it("folds every prefix to its state", () => {
    for (const [length, expected] of states(vector).entries()) {
      expect(fold(start, events.slice(0, length))).toEqual(expected);
    }
  });

  it("folds event by event as all at once, from any state between", () => {
    const expected = states(vector);
    for (const [length, between] of expected.entries()) {
      expect(fold(frozen(between), events.slice(length))).toEqual(expected.at(-1));
    }
  });

  it("ends as written by hand", () => {
    const last = fold(start, events);
    for (const [path, value] of Object.entries(vector.ends)) expect(at(last, path)).toEqual(value);
  });

  it("shares what did not change, and names what did", () => {
    let before = start;
    for (const [index, event] of events.entries()) {
      const draft = new Draft(before);
      draft.apply(event);
      const after = frozen(draft.finish());
      const changed = Object.keys(after.nodes).filter((id) => after.nodes[id] !== before.nodes[id]);
      expect([...draft.dirty].sort()).toEqual(changed.sort());
      expect(changed).toEqual(expect.arrayContaining(Object.keys(vector.steps[index]!.nodes)));
      before = after;
    }
  });

  it("refuses what must not fold, and is as before", () => {
    for (const { seq, event, code } of vector.refused) {
      const state = frozen(fold(start, events.slice(0, seq)));
      const draft = new Draft(state);
      expect(() => draft.apply(event)).toThrowError(
        expect.objectContaining<Partial<RunroomError>>({ code }),
      );
      expect(draft.finish()).toBe(state);
    }
  });
});

it("counts log lines that were left out", () => {
  const vector = vectors.find(({ steps }) => steps.some(({ event }) => event.type === "log"))!;
  const events = eventsOf(vector);
  const draft = new Draft(vector.initial);
  for (const event of events.filter(({ type }) => type !== "log")) {
    draft.skipLogs(event.seq - 1);
    draft.apply(event);
  }
  expect(draft.finish()).toEqual(states(vector).at(-1));
});
