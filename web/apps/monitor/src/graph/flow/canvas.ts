import { type InjectionKey, inject, provide, type Ref, type ShallowRef } from "vue";
import type { ExecutionModel } from "../../execution/model";
import type { Drawn } from "../useGraph";

/** What the pieces of a canvas share. */
export interface Canvas {
  readonly model: ExecutionModel;
  readonly drawn: Readonly<ShallowRef<Drawn>>;
  /** The node that Tab leads to, by index. */
  readonly active: Readonly<Ref<number>>;
  /** The selected node, by id. */
  readonly selected: Readonly<Ref<string | null>>;
  /** Nothing can be read. */
  readonly far: Readonly<Ref<boolean>>;
  select(index: number): void;
  inspect(index: number): void;
  /** Look at what passed an edge; `null`: at none. Given where the pointer is, or at its middle. */
  peek(edge: number | null, at?: { x: number; y: number }): void;
}

const CANVAS: InjectionKey<Canvas> = Symbol("canvas");

export function provideCanvas(canvas: Canvas): void {
  provide(CANVAS, canvas);
}

export function useCanvas(): Canvas {
  const canvas = inject(CANVAS);
  if (canvas === undefined) throw new Error("not inside a canvas");
  return canvas;
}
