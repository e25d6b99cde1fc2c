// The document of a store: one tree of values with all its history.

import type { Caller } from "./calls.js";
import type { At, Commit, DocEvent, HistoryOptions, Op, Outcome, Patch, PatchOptions, PathOf, ReadOptions, SnapshotOptions, TreeOptions, WatchOptions } from "./doc-types.js";
import type { CallOptions } from "./store.js";
import { type Value, decode, encode } from "./value.js";

/** Commits asked for at a time. */
const PAGE = 200;
const TIMEOUT = 60_000;

/** What the document and a scope of it have in common. */
class Tree<T> {
  /** @internal */
  readonly caller: Caller;
  readonly #scope: string | undefined;
  /** The last durable commit of the document that was told here. */
  #seen = 0;

  /** @internal */
  constructor(caller: Caller, scope?: string) {
    this.caller = caller;
    this.#scope = scope;
  }

  /**
   * What is at `path`, `undefined` for nothing; the root is `""`. A path says of each step what it is applied to: `a.b` a field, `a[3]` an
   * index, `a{7}` a number of a sparse list, `users(id=jane)` an element by its key, quotes for any other name: `'a.b'.c`.
   */
  async read<P extends PathOf<T>>(path: P, options: ReadOptions = {}): Promise<At<T, P> | undefined> {
    const found = await this.caller.call<Uint8Array | undefined>("docRead", [path, options.at, options.scope ?? this.#scope], options);
    return found && decode(found);
  }

  /**
   * Changes what is at `path`; resolves to the number of the commit once it is durable. A patch that changes nothing is no commit: the last one's
   * number comes back. `Conflict` where the match does not hold or what is there cannot take it, with the place and the reason: nothing was changed then.
   */
  patch<P extends PathOf<T>>(path: P, patch: Patch<At<T, P>>, options: PatchOptions = {}): Promise<number> {
    return this.#change(path, form(patch), options);
  }

  /** Puts a value at `path`, whatever was there before. */
  set<P extends PathOf<T>>(path: P, value: At<T, P>, options: PatchOptions = {}): Promise<number> {
    return this.#change(path, { set: value }, options);
  }

  /** Removes what is at `path`. `Conflict` if nothing is. */
  delete(path: PathOf<T>, options: PatchOptions = {}): Promise<number> {
    return this.#change(path, { ops: [{ op: "delete", path: "" }] }, options);
  }

  async #change(path: string, patch: object, { match, scope = this.#scope, signal }: PatchOptions): Promise<number> {
    const request = encode({ ...patch, match });
    const commit = await this.caller.call<number>("docPatch", [path, request, scope, mark(), this.#since(scope)], { signal });
    this.#told(commit, scope);
    return commit;
  }

  /** A commit that was durable before now; where that is not known, the first one. */
  #since(scope: string | undefined): number {
    return scope === undefined ? this.#seen : 0;
  }

  #told(commit: number, scope: string | undefined): void {
    if (scope === undefined) this.#seen = Math.max(this.#seen, commit);
  }

  /**
   * Watches what a pattern stands for (a path, in which `*`, `[*]`, `{*}` and `(*)` stand for any step): first the state, then each commit that
   * touches it, once and in order, whichever tab has the store meanwhile. A slow reader holds up nobody; it is told how far it is behind.
   */
  async *watch(pattern: string, { from, scope = this.#scope, signal }: WatchOptions = {}): AsyncGenerator<DocEvent, never> {
    let seen: number | undefined;
    for (;;) {
      const events = await this.caller.call<Uint8Array[]>("docNext", [pattern, seen, from, scope], { signal });
      for (const bytes of events) {
        const event = timed(decode(bytes));
        seen = event.commit as number;
        this.#told(seen, scope);
        yield event as DocEvent;
      }
    }
  }

  /** The commits that touched `path`, the oldest first; those above and below it included. */
  async *history(path: PathOf<T>, options: HistoryOptions = {}): AsyncGenerator<Commit, void> {
    const { backward = false, scope = this.#scope } = options;
    let { from = 0, to = Number.MAX_SAFE_INTEGER } = options;
    while (from <= to) {
      const page = await this.caller.call<Uint8Array[]>("docHistory", [path, from, to, backward, PAGE, scope], options);
      for (const bytes of page) {
        const commit = timed(decode(bytes)) as Commit;
        if (backward) to = commit.commit - 1;
        else from = commit.commit + 1;
        yield commit;
      }
      if (page.length < PAGE) return;
    }
  }

  /** Operations that make what was at `path` after commit `from` what was there after commit `to`. */
  async diff(path: PathOf<T>, from: number, to: number, options: TreeOptions = {}): Promise<Op[]> {
    return decode(await this.caller.call("docDiff", [path, from, to, options.scope ?? this.#scope], options));
  }

  /** The number of the last commit; 0 before the first. */
  currentCommit(options: TreeOptions = {}): Promise<number> {
    return this.caller.call("docCommit", [options.scope ?? this.#scope], options);
  }

  /** @internal Promotes a scope. */
  async promoted(name: string, { signal }: CallOptions): Promise<number> {
    const commit = await this.caller.call<number>("docPromote", [name, mark(), this.#since(undefined)], { signal });
    this.#told(commit, undefined);
    return commit;
  }
}

/** The document of a store. */
export class Doc<T = Value> extends Tree<T> {
  /** The same document, typed as the caller says: nothing is checked. */
  as<U>(): Doc<U> {
    return this as unknown as Doc<U>;
  }

  /** Begins a change that so many participants make together: see `Transaction`. After `timeout` milliseconds (a minute) nothing comes of it. */
  async begin(participants: number, options: CallOptions & { meta?: Value; timeout?: number } = {}): Promise<Transaction<T>> {
    const { meta = null, timeout = TIMEOUT } = options;
    return this.transaction(await this.caller.call("docBegin", [participants, encode(meta), timeout], options));
  }

  /** The transaction with this number, for another participant: in this tab, or in any other. */
  transaction(id: number): Transaction<T> {
    return new Transaction(this.caller, id);
  }

  /** Opens the scope of this name, or makes it: the document as it is now, to be changed on its own. */
  async scope(name: string, options: CallOptions = {}): Promise<Scope<T>> {
    return new Scope(this, name, await this.caller.call("docScope", [name], options));
  }

  /** The names of all scopes. */
  scopes(options: CallOptions = {}): Promise<string[]> {
    return this.caller.call("docScopes", [], options);
  }

  /** Declares that elements of the lists that `lists` stands for are known by their field `field`: `users(jane)` is then one of them. */
  declareKey(lists: string, field: string, options: CallOptions = {}): Promise<void> {
    return this.caller.call("docDeclareKey", [lists, field], options);
  }

  /**
   * Turns the log into sorted tables, so that the next opening has nothing to replay, and removes the past states that `keep` does not keep.
   * Others go on meanwhile. `horizon` is the first commit whose state can still be read.
   */
  async snapshot({ keep, signal }: SnapshotOptions = {}): Promise<{ commit: number; horizon: number; removedRows: number }> {
    const { last, for: within, thin }: { last?: number; for?: number; thin?: number } = keep ?? {};
    const done = decode(await this.caller.call("docSnapshot", [last, within, thin], { signal }));
    return { commit: done.commit, horizon: done.horizon, removedRows: done.removed_rows };
  }
}

/**
 * A copy-on-write overlay: the document as it was when the scope was made, with the scope's own changes on top. Nobody sees them until it is promoted.
 * Its commits go on from the document's.
 */
export class Scope<T = Value> extends Tree<T> {
  readonly name: string;
  /** The commit of the document that it began with. */
  readonly base: number;
  #doc: Doc<T>;

  /** @internal */
  constructor(doc: Doc<T>, name: string, base: number) {
    super(doc.caller, name);
    this.#doc = doc;
    this.name = name;
    this.base = base;
  }

  /** Removes it with all that was changed in it. */
  drop(options: CallOptions = {}): Promise<void> {
    return this.caller.call("docDrop", [this.name], options);
  }

  /** Applies all that was changed in it to the document, as one commit, and removes it. `Conflict` where a match does not hold any more: both stay as they were. */
  promote(options: CallOptions = {}): Promise<number> {
    return this.#doc.promoted(this.name, options);
  }
}

/**
 * A change that several participants make together: each joins once with a path, a patch and a match; when the last one has joined, all matches are
 * evaluated and all patches applied as one commit, or nothing is. It outlives tabs, and a restart.
 */
export class Transaction<T = Value> {
  readonly id: number;
  #caller: Caller;

  /** @internal */
  constructor(caller: Caller, id: number) {
    this.#caller = caller;
    this.id = id;
  }

  /**
   * Joins, and waits for what becomes of the whole; an abort of the signal ends the waiting alone. `Timeout` when not all came in time, `Conflict` when it was
   * aborted or has all its participants, `InvalidInput` for a path that overlaps another one's.
   */
  async join<P extends PathOf<T>>(path: P, patch: Patch<At<T, P>>, options: CallOptions & { match?: Value | undefined } = {}): Promise<Outcome<At<T, P>>> {
    const { match, signal } = options;
    await this.#caller.call("docJoin", [this.id, path, encode({ ...form(patch), match }), mark(), 0], { signal });
    return this.outcome(path, { signal });
  }

  /** Waits for what becomes of it, without joining; `path` is where the value is read. */
  async outcome<P extends PathOf<T>>(path: P, options: CallOptions = {}): Promise<Outcome<At<T, P>>> {
    return decode(await this.#caller.call("docOutcome", [this.id, path], options));
  }

  /** How many have joined, how many it takes, and what it was begun with for them to read. */
  async look(options: CallOptions = {}): Promise<{ joined: number; participants: number; meta: any }> {
    const found = await this.#caller.call<{ joined: number; participants: number; meta: Uint8Array }>("docTransaction", [this.id], options);
    return { ...found, meta: decode(found.meta) };
  }

  /** Ends it for all who wait: nothing is changed. */
  abort(options: CallOptions = {}): Promise<void> {
    return this.#caller.call("docAbort", [this.id], options);
  }
}

/** How a patch travels. */
function form(patch: unknown): object {
  const fields = Object.entries((patch ?? {}) as object);
  const [name, list] = fields.length === 1 ? fields[0]! : [];
  if (Array.isArray(list)) {
    if (name === "jsonPatch") return { json_patch: list };
    if (name === "ops") return { ops: list };
  }
  return { merge: patch };
}

/** A number for one request, so that it can be asked again without being done again. */
function mark(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number];
  return high * 2 ** 21 + (low >>> 11);
}

function timed<E extends { time?: unknown; commit: number }>(event: E): E {
  return event.time === undefined ? event : { ...event, time: new Date(Number(event.time)) };
}
