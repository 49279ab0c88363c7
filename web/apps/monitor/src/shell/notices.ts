import type { ExecutionStatus } from "@runroom/core";
import { isTerminal } from "@runroom/core";
import { computed, ref } from "vue";
import { toast } from "./toasts";

/** What is known of an execution wherever it is shown: enough to notice that it failed. */
export interface Noticed {
  readonly executionId: string;
  readonly workflowName: string;
  readonly status: ExecutionStatus;
  readonly error: string | null;
}

const KEY = "runroom.notify";
const wanted = ref(kept());
const permission = ref(typeof Notification === "undefined" ? "denied" : Notification.permission);
const last = new Map<string, ExecutionStatus>();

/** `on`: failures also show outside the page while it is hidden. `blocked`: the browser says no. */
export const desktopNotices = computed(() => {
  if (permission.value === "denied") return "blocked";
  return wanted.value && permission.value === "granted" ? "on" : "off";
});

/** Turn them on or off; the browser is asked only here, when somebody wants them. */
export async function toggleDesktopNotices(): Promise<void> {
  const on = desktopNotices.value !== "on";
  if (on && typeof Notification !== "undefined") {
    permission.value = await Notification.requestPermission();
  }
  wanted.value = on;
  try {
    localStorage.setItem(KEY, on ? "1" : "0");
  } catch {
    // good for this page alone
  }
}

/** Says so when an execution that went on has failed. `quiet`: the page itself shows it. */
export function notice(execution: Noticed, { quiet = false } = {}): void {
  const { executionId, status } = execution;
  const before = last.get(executionId);
  last.set(executionId, status);
  if (before === undefined || isTerminal(before) || status !== "failed") return;
  const title = `${execution.workflowName} failed`;
  const text = execution.error ?? undefined;
  const to = { name: "execution", params: { id: executionId } };
  if (!quiet) toast({ tone: "danger", title, text, to });
  if (document.hidden && desktopNotices.value === "on") {
    const shown = new Notification(title, { body: text ?? "", tag: executionId });
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
  }
}

function kept(): boolean {
  try {
    return localStorage.getItem(KEY) === "1";
  } catch {
    return false;
  }
}
