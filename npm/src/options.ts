// What can be chosen when a store is opened.

/** Where a store is kept. */
export type Backend = "opfs" | "indexeddb" | "memory" | "file";

/** The remote that a store is paired with. */
export interface Remote {
  /** Where it is, as in `https://example.org/store`. */
  url: string;
  /** Sent as a bearer token; never printed. */
  token?: string;
}

/** How a store is opened. */
export interface OpenOptions {
  /** Uploads go here, and what is not here is fetched from there. Without it the store is only local. */
  remote?: Remote | undefined;
  /** `auto`: OPFS where it works, IndexedDB elsewhere, a file in Node. `memory` is forgotten, and never chosen by itself. */
  backend?: Backend | "auto" | undefined;
  /** Bytes of blobs that are kept here when the remote has them too; everything when left out. */
  cache?: number | undefined;
  /** Ends the waiting for the store to open. */
  signal?: AbortSignal | undefined;
}

/** Where a store is kept, and why there. */
export interface StorageMode {
  backend: Backend;
  /** Why not the one that is preferred, in words; empty when it is that one. */
  why: string;
  /** The store was here at an earlier opening and is gone: somebody or the browser deleted it. */
  lost: boolean;
}

/** What travels to the worker. */
export interface EngineOptions {
  name: string;
  backend: Backend | "auto";
  remote?: Remote | undefined;
  cache?: number | undefined;
}
