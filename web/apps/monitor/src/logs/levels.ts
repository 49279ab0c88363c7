import { CircleX, Info, type LucideIcon, TriangleAlert } from "@lucide/vue";
import type { Level } from "@runroom/core";

/** The icon and the word of each level; its colour is by class. */
export const LEVEL: Readonly<Record<Level, { icon: LucideIcon; word: string }>> = {
  info: { icon: Info, word: "Info" },
  warning: { icon: TriangleAlert, word: "Warning" },
  error: { icon: CircleX, word: "Error" },
};
