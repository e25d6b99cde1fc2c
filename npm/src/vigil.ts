// Staying awake for the next message: a thread that fell asleep takes longer to wake than a small blob takes to read.

/** How long behind an answer, in milliseconds; a page's clock shows tenths of one. */
const WATCH = 0.3;

interface Scheduler {
  postTask(work: () => void, options: { priority: "background" }): Promise<void>;
}

/**
 * Keeps a worker from sleeping behind an answer while somebody asks one thing after another.
 *
 * Only where the last question came that soon behind the answer before it: a store that nobody is waiting for costs nothing, and a run of
 * questions that ends costs one watch. It is kept with the lowest priority, so that whatever there is to do comes first.
 */
export class Vigil {
  #scheduler = (globalThis as { scheduler?: Scheduler }).scheduler;
  #answered = 0;
  #worth = false;
  #kept = false;

  /** A question came. */
  asked(): void {
    this.#worth = performance.now() - this.#answered < WATCH;
  }

  /** An answer went. */
  answered(): void {
    this.#answered = performance.now();
    if (!this.#worth || this.#kept || !this.#scheduler) return;
    this.#kept = true;
    this.#keep();
  }

  #keep = (): void => {
    this.#kept = performance.now() - this.#answered < WATCH;
    // One that is refused ends the watch.
    if (this.#kept) this.#scheduler!.postTask(this.#keep, { priority: "background" }).catch(() => (this.#kept = false));
  };
}
