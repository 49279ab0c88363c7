import { onScopeDispose, type ShallowRef, shallowRef, watch } from "vue";
import type { ExecutionModel } from "../execution/model";
import { Cells } from "./cells";
import type { Direction, Layout } from "./layout/types";
import { useLayout } from "./layout/useLayout";
import { fits, type Shape, shapeOf } from "./shape";

/** A graph that has its places, and the cells to draw it from. */
export interface Drawn {
  readonly cells: Cells;
  readonly layout: Layout;
}

/**
 * The graph of what is shown, kept up to date for as long as the caller's scope lives. Its shape
 * is always that of the live execution: a replay shows nodes that are still to come.
 */
export function useGraph(
  model: ExecutionModel,
  direction: Readonly<ShallowRef<Direction>>,
): {
  readonly cells: Readonly<ShallowRef<Cells | null>>;
  /** Behind `cells` by the time that a layout takes; null: there was none yet. */
  readonly drawn: Readonly<ShallowRef<Drawn | null>>;
} {
  const shape = shallowRef<Shape | null>(null);
  const cells = shallowRef<Cells | null>(null);
  const drawn = shallowRef<Drawn | null>(null);

  function take(): void {
    const live = model.snapshot.value.state;
    if (live === null) return;
    const next = shapeOf(live);
    if (next.key === shape.value?.key) return;
    shape.value = next;
    cells.value = new Cells(next, model.state.value);
  }

  watch(() => model.snapshot.value.state?.graph, take, { immediate: true });
  onScopeDispose(
    model.onChange((changed) => {
      if (shape.value === null || !fits(shape.value, changed)) take();
      const shown = new Set([cells.value, drawn.value?.cells]);
      for (const each of shown) each?.update(model.state.value, changed);
    }),
  );

  const placed = useLayout(shape, direction);
  watch(placed, (now) => {
    if (now === null) return;
    const kept = [cells.value, drawn.value?.cells].find(
      (each) => each?.shape.key === now.shape.key,
    );
    const mine = kept ?? new Cells(now.shape, model.state.value);
    drawn.value = { cells: mine, layout: now.layout };
  });
  return { cells, drawn };
}
