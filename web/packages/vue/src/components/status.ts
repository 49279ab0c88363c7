import type { ExecutionStatus, NodeStatus } from "@runroom/core";
import { h, type VNode } from "vue";

const ICONS: Record<string, string> = {
  pending: "○",
  running: "◌",
  completed: "✓",
  failed: "✕",
  cancelled: "⊘",
  skipped: "»",
};

/** A status as an icon and a word, never by colour alone. */
export function statusBadge(status: ExecutionStatus | NodeStatus | (string & {})): VNode {
  return h("span", { class: ["rr-badge", `rr-${status}`] }, [
    h("span", { class: "rr-badge-icon", "aria-hidden": "true" }, ICONS[status] ?? "·"),
    status,
  ]);
}

/** 14:03:07.250, on the reader's clock. */
export function clockTime(time: Date | string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "";
  const digits = (value: number, length = 2) => String(value).padStart(length, "0");
  return [
    `${digits(date.getHours())}:${digits(date.getMinutes())}:${digits(date.getSeconds())}`,
    digits(date.getMilliseconds(), 3),
  ].join(".");
}
