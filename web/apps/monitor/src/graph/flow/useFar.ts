import { onScopeDispose, type Ref, ref, watch } from "vue";

/** Below this zoom nothing can be read: there is no text then, and nothing moves. */
const FAR = 0.3;
const SETTLED_MS = 90;

/**
 * Whether it is looked at from afar. Text goes at once and comes when the zoom has come to rest:
 * by then the browser knows which nodes are out of sight, and draws the others alone.
 */
export function useFar(zoom: () => number): Readonly<Ref<boolean>> {
  const far = ref(zoom() < FAR);
  let timer: ReturnType<typeof setTimeout> | undefined;
  watch(zoom, (now) => {
    clearTimeout(timer);
    if (now < FAR) {
      far.value = true;
    } else if (far.value) {
      timer = setTimeout(() => {
        far.value = false;
      }, SETTLED_MS);
    }
  });
  onScopeDispose(() => clearTimeout(timer));
  return far;
}
