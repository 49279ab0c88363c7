import type { EventOf } from "../contract/types";
import { LogRing, type LogRingOptions } from "./ring";
import { type LogFilter, LogView } from "./view";

/** Of a frame, for filters that have much to go through. */
const BUDGET_MS = 6;

/** The lines of one execution and everyone who looks at them. */
export class Log {
  readonly ring: LogRing;
  readonly #views = new Set<LogView>();
  readonly #wanted: () => void;

  /**
   * Args:
   *   wanted: called when a flush is needed.
   */
  constructor(options: LogRingOptions, wanted: () => void) {
    this.ring = new LogRing(options);
    this.#wanted = wanted;
  }

  append(event: EventOf<"log">): void {
    this.ring.append(event);
  }

  view(filter: LogFilter = {}): LogView {
    const view = new LogView(this.ring, filter, this.#wanted, (released) =>
      this.#views.delete(released),
    );
    this.#views.add(view);
    return view;
  }

  clear(): void {
    this.ring.clear();
    this.#wanted();
  }

  /** Bring all views up to date, as far as a frame's time allows; once more if it does not. */
  flush(): void {
    let left = BUDGET_MS;
    for (const view of this.#views) {
      const started = performance.now();
      if (!view.advance(left)) this.#wanted();
      left = Math.max(0, left - (performance.now() - started));
    }
  }
}
