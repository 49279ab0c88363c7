import { onScopeDispose, type ShallowRef, shallowRef, watch } from "vue";
import type { Shape } from "../shape";
import type { Direction, Layout, LayoutRequest } from "./types";

export interface Placed {
  readonly shape: Shape;
  readonly layout: Layout;
}

/** How long a label of a condition may get, in characters. */
export const LABEL_CHARS = 26;
const CHAR_WIDTH = 6.7;
const LABEL_PADDING = 18;

/** The layout of the shape, made beside the page; the one before stays until the next is there. */
export function useLayout(
  shape: Readonly<ShallowRef<Shape | null>>,
  direction: Readonly<ShallowRef<Direction>>,
): Readonly<ShallowRef<Placed | null>> {
  const placed = shallowRef<Placed | null>(null);
  let worker: Worker | null = null;
  let wanted = 0;

  watch(
    [() => shape.value?.key, direction],
    async () => {
      const now = shape.value;
      wanted += 1;
      const mine = wanted;
      if (now === null) {
        placed.value = null;
        return;
      }
      const layout = await make(requestOf(now, direction.value));
      // nodes may have come meanwhile
      if (mine === wanted) placed.value = { shape: now, layout };
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    wanted += 1;
    worker?.terminate();
  });

  async function make(request: LayoutRequest): Promise<Layout> {
    // one that is still at work works on what nobody wants any more
    worker?.terminate();
    worker = null;
    if (typeof Worker === "undefined") return (await import("./layout")).layout(request);
    const made = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker = made;
    const layout = await new Promise<Layout>((resolve, reject) => {
      made.addEventListener("message", ({ data }: MessageEvent<Layout>) => resolve(data));
      made.addEventListener("error", () => reject(new Error("the layout broke off")));
      made.postMessage(request);
    });
    made.terminate();
    if (worker === made) worker = null;
    return layout;
  }

  return placed;
}

/** A condition as it stands on its edge. */
export function labelOf(when: string): string {
  return when.length > LABEL_CHARS ? `${when.slice(0, LABEL_CHARS - 1)}…` : when;
}

export function labelWidth(when: string | null): number {
  return when === null ? 0 : Math.ceil(labelOf(when).length * CHAR_WIDTH + LABEL_PADDING);
}

function requestOf(shape: Shape, direction: Direction): LayoutRequest {
  return {
    direction,
    nodes: shape.nodes.length,
    edges: shape.edges.map(({ source, target, when }) => [source, target, labelWidth(when)]),
  };
}
