import { onScopeDispose, type Ref, type ShallowRef, shallowRef } from "vue";

export interface Peeked {
  readonly edge: number;
  /** Inside the box; null: at the edge's own middle. */
  readonly at: { readonly x: number; readonly y: number };
}

const OPEN_MS = 140;
const CLOSE_MS = 260;

/** Which edge is looked at: it opens and closes a moment late, so that a passing pointer does not. */
export function usePeek(box: Readonly<Ref<HTMLElement | null>>): {
  readonly peeked: Readonly<ShallowRef<Peeked | null>>;
  /** Of an edge, by its index, where the pointer is; null: of none any more. */
  peek(edge: number | null, at?: { x: number; y: number }): void;
  hold(): void;
  release(): void;
  close(): void;
} {
  const peeked = shallowRef<Peeked | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;

  function later(ms: number, what: () => void): void {
    clearTimeout(timer);
    timer = setTimeout(what, ms);
  }

  function close(): void {
    clearTimeout(timer);
    peeked.value = null;
  }
  onScopeDispose(close);

  return {
    peeked,
    peek(edge, at) {
      if (edge === null) {
        later(CLOSE_MS, close);
        return;
      }
      later(at === undefined ? 0 : OPEN_MS, () => {
        const room = box.value?.getBoundingClientRect();
        if (!room || peeked.value?.edge === edge) return;
        const where = at ?? middleOf(document.activeElement) ?? { x: room.x, y: room.y };
        peeked.value = { edge, at: { x: where.x - room.x, y: where.y - room.y } };
      });
    },
    hold: () => clearTimeout(timer),
    release: () => later(CLOSE_MS, close),
    close,
  };
}

function middleOf(element: Element | null): { x: number; y: number } | null {
  if (element === null) return null;
  const { x, y, width, height } = element.getBoundingClientRect();
  return { x: x + width / 2, y: y + height / 2 };
}
