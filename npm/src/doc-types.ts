// What documents take and tell.

import type { CallOptions } from "./store.js";
import type { Link, Value } from "./value.js";

/** What is at a path: known for a caller's own type as far as the path says it literally, any value beyond. */
export type At<T, P extends string> = P extends ""
  ? T
  : P extends `${infer Head}.${infer Rest}`
    ? At<NonNullable<At<T, Head>>, Rest>
    : P extends `${infer Head}[${number}]`
      ? ElementOf<NonNullable<At<T, Head>>>
      : P extends `${infer Head}{${number}}`
        ? ElementOf<NonNullable<At<T, Head>>>
        : P extends keyof T
          ? T[P]
          : Value;

/** What is in a list, or in a map whose keys are numbers. */
export type ElementOf<T> = T extends readonly (infer E)[] ? E : T extends Record<number, infer E> ? E : Value;

/** A path: offered as far as the caller's own type says, any other string as well. */
export type PathOf<T> = "" | (keyof T & string) | (string & {});

/** What a merge replaces as a whole. */
export type Whole = null | boolean | number | bigint | string | Uint8Array | Link | readonly unknown[];

/** RFC 7396: fields are merged, `null` removes one, anything else replaces. */
export type Merge<T> = T extends Whole ? T : T extends object ? { [K in keyof T]?: Merge<T[K]> | null | undefined } : T;

/** An operation of RFC 6902. */
export type JsonPatchOp =
  | { op: "add" | "replace" | "test"; path: string; value: unknown }
  | { op: "remove"; path: string }
  | { op: "move" | "copy"; from: string; path: string };

/** One operation on what is at a path. */
export type Op =
  /** Puts a value there, and makes the objects on its way. */
  | { op: "set"; path: string; value: unknown }
  | { op: "delete"; path: string }
  | { op: "splice"; path: string; at: number; remove: number; insert: unknown[] }
  | { op: "append"; path: string; values: unknown[] }
  /** Where nothing is, there is zero. */
  | { op: "increment"; path: string; by: number | bigint }
  | { op: "move"; from: string; to: string }
  /** Goes on only if this is what is there; without a value, if nothing is. */
  | { op: "test"; path: string; value?: unknown };

/**
 * A change of what is at a path. An object whose only field is `jsonPatch` or `ops`, with a list, is such a patch; anything else is merged.
 * (`set` puts such an object there.)
 */
export type Patch<T = Value> = Merge<T> | { jsonPatch: JsonPatchOp[] } | { ops: Op[] };

/**
 * What must be there for a patch to be applied: scalars as they are, lists of the same length, objects with at least these fields; and
 * `{ $exists: true }`, `$absent`, `$eq`, `$not`, `$any`, `$all`, `$glob`, `$gt`, `$ge`, `$lt`, `$le`.
 */
export type Match = Value;

/** A commit, as the log has it. */
export interface Commit {
  commit: number;
  time: Date;
  /** What it did; paths begin at the root. */
  ops: Op[];
}

/** What a watch tells: the state where it begins, then each commit that touched what is watched. */
export type DocEvent =
  | {
      event: "state";
      commit: number;
      /** Every place that the pattern stands for, with what is there. */
      values: { path: string; value: any }[];
      /** Commits that retention removed before the watch got to them, so that it began anew. */
      missed: number;
    }
  | ({
      event: "change";
      /** Later commits that there are already: how far the watch lags behind. */
      behind: number;
    } & Commit);

/** Which past states of a document stay. */
export interface SnapshotOptions extends CallOptions {
  /**
   * Those of the last so many commits; those that were replaced within the last so many milliseconds; or ever fewer the older they are: all of the last 64
   * commits, each `thin`th of those that are up to `thin` times as old, and so on. All of them when left out. The state of the last commit and those that scopes began with
   * stay whatever it says.
   */
  keep?: { last: number } | { for: number } | { thin: number };
}

/** What became of a transaction, the same for all participants but for the value. */
export interface Outcome<T = Value> {
  /** All patches were applied. */
  committed: boolean;
  /** All matches held. */
  matched: boolean;
  /** The commit that it was; if it was none, the commit whose state did not take it. */
  commit: number;
  /** Of a patch that could not be applied: where, and why. */
  refused?: { path: string; reason: string };
  /** What is at the participant's path then. */
  value?: T;
}

/** For calls that a scope can be asked instead of the document. */
export interface TreeOptions extends CallOptions {
  scope?: string | undefined;
}

export interface ReadOptions extends TreeOptions {
  /** As it was after this commit. */
  at?: number | undefined;
}

export interface PatchOptions extends TreeOptions {
  /** What has to be there now: check and change are one step. */
  match?: Match | undefined;
}

export interface WatchOptions extends TreeOptions {
  /** The commit whose state is told first; the last one when left out. */
  from?: number | undefined;
}

export interface HistoryOptions extends TreeOptions {
  from?: number | undefined;
  to?: number | undefined;
  /** The newest first. */
  backward?: boolean | undefined;
}
