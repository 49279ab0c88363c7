import { report } from "./listeners";

/** A hidden tab has no frames: then a flush waits this long. */
const HIDDEN_MS = 250;
const WITHOUT_FRAMES_MS = 16;

/** Runs what was asked for once a frame, however often it was asked for. */
export class Scheduler {
  readonly #tasks = new Set<() => void>();
  #frame: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Run `task` with the next frame; in a hidden tab, and without a browser, by a timer. */
  request(task: () => void): void {
    this.#tasks.add(task);
    if (this.#timer !== undefined) return;
    const frames = typeof requestAnimationFrame === "function";
    // both: a frame that was asked for never comes once the tab is hidden
    this.#timer = setTimeout(() => this.flush(), frames ? HIDDEN_MS : WITHOUT_FRAMES_MS);
    if (frames) this.#frame = requestAnimationFrame(() => this.flush());
  }

  cancel(task: () => void): void {
    this.#tasks.delete(task);
  }

  /** Run all tasks now. */
  flush(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#timer = this.#frame = undefined;
    const tasks = [...this.#tasks];
    this.#tasks.clear();
    for (const task of tasks) {
      try {
        task();
      } catch (error) {
        report(error);
      }
    }
  }
}
