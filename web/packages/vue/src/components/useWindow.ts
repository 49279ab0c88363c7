import { computed, nextTick, type Ref, ref, watch } from "vue";

/** Rows above and below what is seen. */
const OVERSCAN = 20;
/** Before the box has been measured. */
const HEIGHT = 400;

/**
 * Which of many rows of one height are worth drawing, and following the end: on until the reader
 * scrolls up, on again at the end.
 */
export function useWindow(box: Ref<HTMLElement | null>, count: () => number, rowHeight: number) {
  const top = ref(0);
  const height = ref(HEIGHT);
  const follows = ref(true);
  const first = computed(() => Math.max(0, Math.floor(top.value / rowHeight) - OVERSCAN));
  const last = computed(() =>
    Math.min(count(), Math.ceil((top.value + height.value) / rowHeight) + OVERSCAN),
  );

  function onScroll(): void {
    const { scrollTop, clientHeight, scrollHeight } = box.value!;
    if (scrollTop + clientHeight >= scrollHeight - rowHeight) follows.value = true;
    else if (scrollTop < top.value) follows.value = false;
    top.value = scrollTop;
    height.value = clientHeight || HEIGHT;
  }

  function toEnd(): void {
    follows.value = true;
    top.value = Math.max(0, count() * rowHeight - height.value);
    void nextTick(() => box.value?.scrollTo({ top: box.value.scrollHeight }));
  }

  watch(count, () => {
    if (box.value?.clientHeight) height.value = box.value.clientHeight;
    if (follows.value) toEnd();
  });
  return { first, last, follows, onScroll, toEnd };
}
