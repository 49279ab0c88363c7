import { onScopeDispose, type Ref, readonly, ref } from "vue";

const QUERY = "(max-width: 720px)";

/** Whether there is room for one column only. */
export function useNarrow(): Readonly<Ref<boolean>> {
  const media = window.matchMedia(QUERY);
  const narrow = ref(media.matches);
  const changed = (event: MediaQueryListEvent) => {
    narrow.value = event.matches;
  };
  media.addEventListener("change", changed);
  onScopeDispose(() => media.removeEventListener("change", changed));
  return readonly(narrow);
}
