import type { ExecutionStatus } from "@runroom/core";
import { LOOKS } from "@runroom/core";
import { watchEffect } from "vue";

export interface PageTitle {
  readonly name: string;
  /** Of the execution that the page is about. */
  readonly status?: ExecutionStatus | null;
  readonly progress?: number;
}

const MARKS: Record<ExecutionStatus, string> = {
  pending: "…",
  running: "▶",
  completed: "✓",
  failed: "✗",
  cancelled: "⊘",
};

/** `▶ 43 % Pipeline · Runroom`: what a tab among many says. */
export function titleOf({ name, status, progress }: PageTitle): string {
  const mark = status ? `${MARKS[status]} ` : "";
  const share = status === "running" && progress !== undefined ? `${progress} % ` : "";
  return `${mark}${share}${name} · Runroom`;
}

/** The page's icon with a dot in the status's colour. */
export function iconOf(status: ExecutionStatus | null | undefined): string {
  if (!status) return "/favicon.svg";
  const color = LOOKS[status].color;
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">' +
    '<rect width="32" height="32" rx="8" fill="#4f46c8"/>' +
    '<path d="M8 9 19 14.5 8 20" fill="none" stroke="#fff" stroke-width="2.2" opacity=".75"/>' +
    '<g fill="#fff"><circle cx="8" cy="9" r="3.2"/><circle cx="8" cy="20" r="3.2"/>' +
    '<circle cx="19" cy="14.5" r="3.4"/></g>' +
    `<circle cx="24" cy="24" r="7.5" fill="${color}" stroke="#fff" stroke-width="1.8"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** The tab's title and icon follow what `page` says, as long as the caller's scope lives. */
export function usePageTitle(page: () => PageTitle): void {
  watchEffect(() => {
    const shown = page();
    document.title = titleOf(shown);
    const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    const icon = iconOf(shown.status);
    if (link && link.getAttribute("href") !== icon) link.href = icon;
  });
}
