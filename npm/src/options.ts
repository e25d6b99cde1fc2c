// What can be chosen when a store is opened.

import { LittoralError } from "./errors.js";

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
  /** Node: the file. `NAME.littoral` in the current folder when left out. */
  path?: string | undefined;
  /** A store's file, such as `export` gives: where there is no store of this name yet, it begins as a copy of this. */
  from?: Blob | undefined;
  /** Ends the waiting for the store to open. */
  signal?: AbortSignal | undefined;
}

/** Where a store is kept, and why there. */
export interface StorageMode {
  backend: Backend;
  /** Why not the one that is preferred, in words; empty when it is that one. */
  why: string;
  /** The store was here at an earlier opening and is gone: somebody or the browser deleted it. This one is new. */
  lost: boolean;
  /** This opening made it. */
  made?: boolean;
}

/** A name that every host can keep. */
export function checkName(name: unknown): void {
  if (typeof name !== "string" || name === "" || name.length > 128) {
    throw new LittoralError("InvalidInput", "a store's name has 1 to 128 characters");
  }
}

/** What travels to the worker. */
export interface EngineOptions {
  name: string;
  backend: Backend | "auto";
  remote?: Remote | undefined;
  cache?: number | undefined;
  from?: Blob | undefined;
}
