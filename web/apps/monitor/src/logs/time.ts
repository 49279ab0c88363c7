import { type Ref, ref } from "vue";
import type { TimeMode } from "./row";

const KEY = "runroom.log.time";

/** Times of day or since the start; kept for this browser. */
export function useTimeMode(): { time: Ref<TimeMode>; toggle: () => void } {
  const time = ref<TimeMode>(kept());
  return {
    time,
    toggle() {
      time.value = time.value === "clock" ? "relative" : "clock";
      try {
        localStorage.setItem(KEY, time.value);
      } catch {
        // good for this page alone
      }
    },
  };
}

function kept(): TimeMode {
  try {
    return localStorage.getItem(KEY) === "relative" ? "relative" : "clock";
  } catch {
    return "clock";
  }
}
