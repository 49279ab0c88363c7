import { errorInfo } from "@runroom/core";
import { shallowReactive } from "vue";
import type { RouteLocationRaw } from "vue-router";

export interface Toast {
  readonly id: number;
  readonly tone: "info" | "ok" | "danger";
  readonly title: string;
  readonly text?: string | undefined;
  /** Where a click on it leads. */
  readonly to?: RouteLocationRaw | undefined;
}

const STAYS_MS = 6_000;
const MOST = 4;
let last = 0;
const shown = shallowReactive<Toast[]>([]);

export const toasts: readonly Toast[] = shown;

/** Say something in passing. Trouble stays until it is put away. */
export function toast(given: Omit<Toast, "id">): void {
  last += 1;
  const made: Toast = { id: last, ...given };
  shown.push(made);
  if (shown.length > MOST) shown.shift();
  if (made.tone !== "danger") setTimeout(() => dismiss(made.id), STAYS_MS);
}

export function toastError(title: string, error: unknown): void {
  toast({ tone: "danger", title, text: errorInfo(error).message });
}

export function dismiss(id: number): void {
  const at = shown.findIndex((each) => each.id === id);
  if (at >= 0) shown.splice(at, 1);
}
