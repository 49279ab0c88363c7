import type { GraphNode, LogRow } from "@runroom/core";
import { plainText } from "./text";

export type TimeMode = "clock" | "relative";

/** How a node is named in the log. */
export interface NodeWord {
  readonly name: string;
  /** Of `HUES` colours; neighbours in the graph differ. */
  readonly hue: number;
}

export const HUES = 6;

/** `09:05:03.007`, in the reader's time zone. */
export function clockOf(time: number): string {
  const date = new Date(time);
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** `+2.034`, `+1:02.034`, `+1:01:02.034`: since the start; before it with a minus. */
export function sinceOf(time: number, start: number): string {
  const ms = Math.abs(Math.round(time - start));
  const sign = time < start ? "−" : "+";
  const seconds = Math.floor(ms / 1_000);
  const rest = `.${String(ms % 1_000).padStart(3, "0")}`;
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  if (hours > 0) return `${sign}${hours}:${two(minutes)}:${two(seconds % 60)}${rest}`;
  if (minutes > 0) return `${sign}${minutes}:${two(seconds % 60)}${rest}`;
  return `${sign}${seconds}${rest}`;
}

export function wordsOf(nodes: readonly GraphNode[]): ReadonlyMap<string, NodeWord> {
  return new Map(
    nodes.map((node, position) => [node.id, { name: node.name || node.id, hue: position % HUES }]),
  );
}

/** A line to paste elsewhere: the whole time, the level, the node, the message. */
export function lineOf(row: LogRow, words: ReadonlyMap<string, NodeWord>): string {
  const node = row.nodeId === null ? "" : ` [${words.get(row.nodeId)?.name ?? row.nodeId}]`;
  const level = row.level.toUpperCase().padEnd(7);
  return `${new Date(row.time).toISOString()} ${level}${plainText(node)} ${plainText(row.message)}`;
}
