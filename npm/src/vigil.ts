// Staying awake for the next message: a thread that fell asleep takes longer to wake than a small blob takes to read.

/** How long behind a message, in milliseconds; a page's clock shows tenths of one, */
const WATCH = 0.3;
/** or more than that is long: so often it looks at the clock at most. */
const LOOKS = 100;

interface Scheduler {
  postTask(work: () => void, options: { priority: "background" }): Promise<void>;
}

/**
 * Keeps one end of a channel from sleeping while messages go back and forth.
 *
 * Only where the last one came that soon behind the one that went before it: a store that nobody is waiting for costs nothing, and messages
 * that end cost one watch. It is kept with the lowest priority, so that whatever else there is to do comes first. Browsers without
 * `scheduler.postTask` keep none.
 */
export class Vigil {
  #scheduler = (globalThis as { scheduler?: Scheduler }).scheduler;
  #went = 0;
  #worth = false;
  #until = 0;
  #looks = 0;
  #kept = false;

  /** A message came. */
  came(): void {
    this.#worth = performance.now() - this.#went < WATCH;
    this.#until = 0;
  }

  /** One went, and soon one may come. */
  went(): void {
    this.#went = performance.now();
    if (!this.#worth || !this.#scheduler) return;
    this.#until = this.#went + WATCH;
    this.#looks = 0;
    if (this.#kept) return;
    this.#kept = true;
    this.#keep();
  }

  #keep = (): void => {
    this.#kept = performance.now() < this.#until && this.#looks++ < LOOKS;
    // One that is refused ends the watch.
    if (this.#kept) this.#scheduler!.postTask(this.#keep, { priority: "background" }).catch(() => (this.#kept = false));
  };
}
