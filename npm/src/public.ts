// What every way to load the package gives beside `open`.

export { LittoralError, type ErrorCode } from "./errors.js";
export type { Backend, OpenOptions, Remote, StorageMode } from "./options.js";
export type { Blobs, CallOptions, Content, Pending, Pointer, QueueItem, Roots, Stat, Stats, Status, Store, Verified } from "./store.js";
export type { Doc, Scope, Transaction } from "./doc.js";
export type {
  At,
  Commit,
  DocEvent,
  ElementOf,
  HistoryOptions,
  JsonPatchOp,
  Match,
  Merge,
  Op,
  Outcome,
  Patch,
  PatchOptions,
  PathOf,
  ReadOptions,
  SnapshotOptions,
  TreeOptions,
  WatchOptions,
  Whole,
} from "./doc-types.js";
export { type Link, type Value, isLink, link } from "./value.js";
