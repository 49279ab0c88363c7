import { computed, readonly, ref } from "vue";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "runroom.theme";
const systemDark = window.matchMedia("(prefers-color-scheme: dark)");
const chosen = ref<Theme>(kept());
const dark = ref(systemDark.matches);

/** What the person chose, for this browser. */
export const theme = readonly(chosen);
/** What is shown. */
export const shownTheme = computed(() =>
  chosen.value === "system" ? (dark.value ? "dark" : "light") : chosen.value,
);

export function setTheme(next: Theme): void {
  chosen.value = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // a browser that keeps nothing: good for this page alone
  }
  show();
}

/** Call once, before anything is drawn. */
export function startTheme(): void {
  systemDark.addEventListener("change", (event) => {
    dark.value = event.matches;
    show();
  });
  show();
}

function show(): void {
  document.documentElement.dataset.theme = shownTheme.value;
}

function kept(): Theme {
  try {
    const found = localStorage.getItem(KEY);
    return THEMES.find((each) => each === found) ?? "system";
  } catch {
    return "system";
  }
}
