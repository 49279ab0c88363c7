import { onScopeDispose, type Ref, readonly, ref } from "vue";

/**
 * The time, for whatever is shown relative to it. One timer serves all that ask; it stands still
 * in hidden tabs and ends with its last reader.
 */
const now = ref(Date.now());
const shown = readonly(now);
let readers = 0;
let timer: ReturnType<typeof setInterval> | undefined;

export function useNow(): Readonly<Ref<number>> {
  readers += 1;
  now.value = Date.now();
  timer ??= setInterval(tick, 1_000);
  onScopeDispose(() => {
    readers -= 1;
    if (readers > 0) return;
    clearInterval(timer);
    timer = undefined;
  });
  return shown;
}

function tick(): void {
  if (!document.hidden) now.value = Date.now();
}
document.addEventListener("visibilitychange", tick);
