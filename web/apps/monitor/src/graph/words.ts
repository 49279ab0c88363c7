import type { NodeState } from "@runroom/core";

/** A node's tries, if there is more to say than that it was tried once. */
export function tryText(
  { tries, status }: Pick<NodeState, "tries" | "status">,
  attempts: number | null,
): { short: string; long: string } | null {
  if (tries < 2) return null;
  const running = status === "running";
  const known = attempts !== null && attempts >= tries;
  const of = known && running ? `/${attempts}` : "";
  return {
    short: running ? `try ${tries}${of}` : `${tries} tries`,
    long: running ? `try ${tries}${known ? ` of ${attempts}` : ""}` : `${tries} tries`,
  };
}
