import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleX,
  Flag,
  LoaderCircle,
  type LucideIcon,
  SkipForward,
  Sparkles,
  Wrench,
  Zap,
} from "@lucide/vue";
import type { ExecutionStatus, Kind, NodeStatus } from "@runroom/core";

export type Status = ExecutionStatus | NodeStatus;

/** The icon, the word and (by `var(--{status})`, `-soft`, `-solid`) the colour of each status. */
export const STATUS: Readonly<Record<Status, { icon: LucideIcon; word: string }>> = {
  pending: { icon: CircleDashed, word: "Pending" },
  running: { icon: LoaderCircle, word: "Running" },
  completed: { icon: CircleCheck, word: "Completed" },
  failed: { icon: CircleX, word: "Failed" },
  cancelled: { icon: Ban, word: "Cancelled" },
  skipped: { icon: SkipForward, word: "Skipped" },
};

/** The icon and the word of each kind of node; its colour is `var(--{kind})`. */
export const KIND: Readonly<Record<Kind, { icon: LucideIcon; word: string }>> = {
  trigger: { icon: Zap, word: "Trigger" },
  agent: { icon: Sparkles, word: "Agent" },
  tool: { icon: Wrench, word: "Tool" },
  output: { icon: Flag, word: "Output" },
};
