/**
 * The document of a store in React.
 *
 * ```tsx
 * import { DocProvider, useDoc } from "littoral/react";
 *
 * createRoot(element).render(<DocProvider doc={store.doc}><Berth /></DocProvider>);
 *
 * function Berth() {
 *   const { value, set, pending, error } = useDoc<number>("boats.ebb.berth");
 *   return <input type="number" value={value ?? ""} onChange={(event) => void set(event.target.valueAsNumber)} />;
 * }
 * ```
 * @module
 */

import { type ReactNode, createContext, createElement, useContext, useMemo, useSyncExternalStore } from "react";
import type { Patch, PatchOptions } from "./doc-types.js";
import type { Doc, Scope } from "./doc.js";
import type { LittoralError } from "./errors.js";

/** A document, or a scope of one. */
export type Tree = Doc<any> | Scope<any>;

/** What is at a path, and how to change it. */
export interface UseDoc<T> {
  /** What is there, with what was set here and is on its way; `undefined` for nothing, and until it is read. */
  readonly value: T | undefined;
  /** It is being read, or a change of this page is on its way. */
  readonly pending: boolean;
  /** What went wrong with reading, or with the last change from here. */
  readonly error: LittoralError | undefined;
  /** Puts a value there; it is shown at once, and taken back if it is refused. Resolves to the commit's number once it is durable. */
  readonly set: (value: T, options?: PatchOptions) => Promise<number>;
  /** Changes what is there: see `Doc.patch`. */
  readonly patch: (patch: Patch<T>, options?: PatchOptions) => Promise<number>;
}

const Context = createContext<Tree | undefined>(undefined);

/** Gives the components below the document, or the scope, that `useDoc` reads. */
export function DocProvider({ doc, children }: { doc: Tree; children?: ReactNode }): ReactNode {
  return createElement(Context.Provider, { value: doc }, children);
}

/**
 * What is at `path` of the document that `DocProvider` gives, or of `doc`: now, and whenever any tab changes it. On a server, and until it is read,
 * it is pending without a value.
 */
export function useDoc<T = any>(path: string, doc?: Tree): UseDoc<T> {
  const given = useContext(Context);
  const tree = doc ?? given;
  if (!tree) throw new Error("useDoc needs a document: give it one, or put a DocProvider above");
  const place = placeOf(tree, path);
  const { value, pending, error } = useSyncExternalStore(place.subscribe, place.current, notYet);
  return useMemo(() => ({ value, pending, error, set: place.set, patch: place.patch }), [place, value, pending, error]);
}

interface Shown {
  readonly value: any;
  readonly pending: boolean;
  readonly error: LittoralError | undefined;
}

const NOT_YET: Shown = { value: undefined, pending: true, error: undefined };
const notYet = () => NOT_YET;

const places = new WeakMap<Tree, Map<string, Place>>();

/** The one for this path, which all components share. */
function placeOf(tree: Tree, path: string): Place {
  let paths = places.get(tree);
  if (!paths) places.set(tree, (paths = new Map()));
  let place = paths.get(path);
  if (!place) paths.set(path, (place = new Place(tree, path, () => paths.delete(path))));
  return place;
}

/** One path, watched as long as somebody looks. */
class Place {
  #tree: Tree;
  #path: string;
  #forget: () => void;
  #listeners = new Set<() => void>();
  #watching: AbortController | undefined;
  #shown = NOT_YET;
  /** What was read, and of which commit at least. */
  #read: any;
  #seen = -1;
  /** What the watch has told; it is being read. */
  #told = -1;
  #reading = false;
  /** What was set here and is not in what was read. */
  #ahead: { value: any; until: number }[] = [];
  #changes = 0;
  #error: LittoralError | undefined;

  constructor(tree: Tree, path: string, forget: () => void) {
    this.#tree = tree;
    this.#path = path;
    this.#forget = forget;
  }

  readonly current = (): Shown => this.#shown;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (!this.#watching) {
      this.#watching = new AbortController();
      void this.#watch(this.#watching.signal);
    }
    return () => {
      this.#listeners.delete(listener);
      // React leaves and comes back at once where it looks for mistakes.
      queueMicrotask(() => {
        if (this.#listeners.size > 0) return;
        this.#watching?.abort();
        this.#watching = undefined;
        this.#forget();
      });
    };
  };

  readonly set = (value: any, options?: PatchOptions): Promise<number> => {
    const ahead = { value, until: Infinity };
    this.#ahead.push(ahead);
    return this.#change(this.#tree.set(this.#path, value, options), ahead);
  };

  readonly patch = (patch: any, options?: PatchOptions): Promise<number> => this.#change(this.#tree.patch(this.#path, patch, options));

  async #change(change: Promise<number>, ahead?: { until: number }): Promise<number> {
    this.#changes++;
    this.#error = undefined;
    this.#show();
    try {
      const commit = await change;
      if (ahead) ahead.until = commit;
      return commit;
    } catch (error) {
      if (ahead) ahead.until = -1;
      this.#error = error as LittoralError;
      throw error;
    } finally {
      this.#changes--;
      this.#show();
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    try {
      for await (const event of this.#tree.watch(this.#path, { signal })) {
        this.#told = event.commit;
        if (event.event === "state") {
          this.#read = event.values[0]?.value;
          this.#seen = event.commit;
          this.#show();
        } else if (!this.#reading) {
          this.#reading = true;
          void this.#readAgain(signal).catch((error) => this.#failed(error, signal));
        }
      }
    } catch (error) {
      this.#failed(error, signal);
    }
  }

  /** Of many commits in a row, not each is read. */
  async #readAgain(signal: AbortSignal): Promise<void> {
    try {
      while (this.#seen < this.#told) {
        const told = this.#told;
        this.#read = await this.#tree.read(this.#path, { signal });
        this.#seen = told;
        this.#show();
      }
    } finally {
      this.#reading = false;
    }
  }

  #failed(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#error = error as LittoralError;
    this.#seen = Math.max(this.#seen, 0);
    this.#show();
  }

  #show(): void {
    this.#ahead = this.#ahead.filter(({ until }) => until > this.#seen);
    const last = this.#ahead.at(-1);
    const shown = { value: last ? last.value : this.#read, pending: this.#seen < 0 || this.#changes > 0, error: this.#error };
    const before = this.#shown;
    if (Object.is(before.value, shown.value) && before.pending === shown.pending && before.error === shown.error) return;
    this.#shown = shown;
    for (const listener of this.#listeners) listener();
  }
}
