import { type RefObject, useEffect, useRef, useState } from "react";

const OVERSCAN = 20;
/** Before the box has been measured. */
const HEIGHT = 320;

export interface Rows {
  first: number;
  last: number;
  /** New rows are scrolled to: until the reader scrolls up, and again at the end. */
  follows: boolean;
  onScroll: () => void;
  toEnd: () => void;
}

/** Which of many rows of one height are worth drawing, and following the newest. */
export function useWindow(
  box: RefObject<HTMLElement | null>,
  count: number,
  rowHeight: number,
): Rows {
  const [top, setTop] = useState(0);
  const [follows, setFollows] = useState(true);
  const before = useRef(0);
  const height = box.current?.clientHeight || HEIGHT;

  function toEnd(): void {
    setFollows(true);
    box.current?.scrollTo({ top: box.current.scrollHeight });
  }

  function onScroll(): void {
    const { scrollTop, clientHeight, scrollHeight } = box.current!;
    if (scrollTop + clientHeight >= scrollHeight - rowHeight) setFollows(true);
    else if (scrollTop < before.current) setFollows(false);
    before.current = scrollTop;
    setTop(scrollTop);
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: only new rows scroll
  useEffect(() => {
    if (!follows) return;
    const calm = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches;
    const far = count * rowHeight - before.current > 3 * height;
    const behavior = calm || far ? "auto" : "smooth";
    box.current?.scrollTo({ top: box.current.scrollHeight, behavior });
  }, [count]);

  return {
    first: Math.min(count, Math.max(0, Math.floor(top / rowHeight) - OVERSCAN)),
    last: Math.min(count, Math.ceil((top + height) / rowHeight) + OVERSCAN),
    follows,
    onScroll,
    toEnd,
  };
}
