import { describe, expect, it } from "vitest";
import { CONNECTION_MOVES, isOnline } from "../../src";
import { type ConnectionInput, moveConnection } from "../../src/connection/states";

const states = Object.keys(CONNECTION_MOVES) as (keyof typeof CONNECTION_MOVES)[];
const inputs: ConnectionInput[] = [
  "open",
  "opened",
  "behind",
  "caught-up",
  "lost",
  "gave-up",
  "refused",
  "close",
];

describe.each(states)("%s", (state) => {
  it("knows every input that it lists, and stays as it is on the others", () => {
    const moves = CONNECTION_MOVES[state];
    for (const input of inputs) expect(moveConnection(state, input)).toBe(moves[input] ?? state);
    expect(Object.keys(moves).filter((input) => !inputs.includes(input as never))).toEqual([]);
  });

  it("can be left, and reached", () => {
    expect(Object.values(CONNECTION_MOVES[state]).some((next) => next !== state)).toBe(true);
    const before = states.filter((other) => Object.values(CONNECTION_MOVES[other]).includes(state));
    expect(before).not.toEqual([]);
  });
});

it("never goes from a refusal to a connection without being asked", () => {
  expect(moveConnection("error", "opened")).toBe("error");
  expect(moveConnection("disconnected", "opened")).toBe("disconnected");
  expect(states.filter(isOnline)).toEqual(["connected", "catching-up"]);
});
