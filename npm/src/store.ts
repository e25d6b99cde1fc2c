// What users call.

import { type Caller, abortable } from "./calls.js";
import { Doc } from "./doc.js";
import { type ErrorCode, LittoralError } from "./errors.js";
import type { StorageMode } from "./options.js";

/** What can be put. */
export type Content = Blob | ArrayBuffer | ArrayBufferView | string | ReadableStream<Uint8Array>;

/** The SHA-256 of a blob, 64 lower-case hex digits. */
export type Pointer = string;

/** For every call: an abort ends the waiting. What was asked may have happened. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}

/** What the remote has not acknowledged. */
export interface Pending {
  /** Changes in the queue, those in trouble included. */
  count: number;
  /** Bytes of the blobs that wait for their upload. */
  bytes: number;
  /** When the oldest change was queued. */
  oldest?: Date | undefined;
  /** Changes that the remote refused for good. */
  failed: number;
  /** Changes whose blob is missing or damaged here. */
  missing: number;
}

/** What a store is doing. */
export interface Status extends Pending {
  /** `local`: there is no remote. `waiting`: for the network, or for as long as the remote asked for. */
  phase: "local" | "stopped" | "idle" | "working" | "paused" | "auth" | "waiting" | "closed";
  /** Why it waits, or wants other credentials. */
  reason?: { code: ErrorCode; message: string } | undefined;
  /** The last error of an attempt, whatever became of it. */
  lastError?: { code: ErrorCode; message: string } | undefined;
  /** Uploads on their way. */
  active: number;
  /** Since the store was opened. */
  uploaded: number;
  uploadedBytes: number;
  /** Bytes that the remote has taken, those of a large blob's pieces as each arrives: it moves in the midst of one. */
  sentBytes: number;
  fetched: number;
  fetchedBytes: number;
  /** Where the store is kept, and why there. */
  storage: StorageMode;
}

/** What is known of a blob. */
export interface Stat {
  size: number;
  chunks: number;
}

/** One change that the remote has not acknowledged. */
export interface QueueItem {
  order: number;
  since: Date;
  change: "put" | "delete" | "root" | "unreadable";
  pointer?: Pointer;
  size?: number;
  name?: string;
  /** Why it does not move by itself, if it does not. */
  trouble?: { code: ErrorCode; message: string };
}

/** What reading everything found. */
export interface Verified {
  values: number;
  bytes: number;
  damage: string[];
}

/** What the engine is made of now, in bytes. */
export interface Stats {
  commit: number;
  durableCommit: number;
  size: number;
  sizeInUse: number;
  logUsed: number;
  logSize: number;
  tables: number;
  tableBytes: number;
  packs: number;
  packBytes: number;
  memory: number;
  poisoned: boolean;
  /** Why background work does not get on. */
  error?: { code: ErrorCode; message: string } | undefined;
}

/** Rows asked for at a time. */
const PAGE = 500;
/** Bytes of a stream's piece. */
const PIECE = 1 << 20;

/** An open store. Leaving its `await using` closes it. */
export class Store implements AsyncDisposable {
  readonly name: string;
  /** Immutable bytes, named by their SHA-256. */
  readonly blobs: Blobs;
  /** Names that point at blobs. */
  readonly roots: Roots;
  /** One tree of values with all its history. */
  readonly doc: Doc;
  /** Where it is kept, and why there. */
  readonly storageMode: StorageMode;
  #caller: Caller;
  #board: Board;
  #closed: () => void;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(name: string, caller: Caller, board: Board, mode: StorageMode, closed: () => void = () => {}) {
    this.#closed = closed;
    this.name = name;
    this.#caller = caller;
    this.#board = board;
    this.storageMode = mode;
    this.blobs = new Blobs(caller);
    this.roots = new Roots(caller);
    this.doc = new Doc(caller);
  }

  /** What the remote has not acknowledged, as far as this page was told. */
  pending(): Pending {
    return { ...this.#board.pending };
  }

  /** What the store is doing: now, and whenever it changes. A slow reader misses steps in between and never the last one. */
  status(options: CallOptions = {}): AsyncIterableIterator<Status> {
    return this.#board.watch(this.storageMode, options.signal);
  }

  /** Returns when everything that was put before is remote. */
  async sync(options: CallOptions = {}): Promise<void> {
    await this.#caller.call("sync", [], options);
  }

  /** The changes that the remote has not acknowledged, oldest first. */
  async *queue(options: CallOptions = {}): AsyncIterableIterator<QueueItem> {
    let after: number | undefined;
    for (;;) {
      const items = await this.#caller.call<QueueItem[]>("queue", [after, PAGE], options);
      const last = items.at(-1);
      if (!last) return;
      after = last.order;
      for (const item of items) yield { ...item, since: new Date(Number(item.since)) };
    }
  }

  /** Tries again what the remote refused; how many changes that are. */
  retryFailed(options: CallOptions = {}): Promise<number> {
    return this.#caller.call("retryFailed", [], options);
  }

  /** Stops uploads until `resume`. */
  pause(options: CallOptions = {}): Promise<void> {
    return this.#caller.call("pause", [], options);
  }

  /** Takes uploads up again, also after the remote wanted other credentials. */
  resume(options: CallOptions = {}): Promise<void> {
    return this.#caller.call("resume", [], options);
  }

  /** Tries at once what waits for its next attempt. In a page this happens by itself when the network comes back. */
  wake(options: CallOptions = {}): Promise<void> {
    return this.#caller.call("wake", [], options);
  }

  /** Reads and checks everything that is here. */
  verify(options: CallOptions = {}): Promise<Verified> {
    return this.#caller.call("verify", [], options);
  }

  /** Gives the space of what was deleted back; bytes freed. */
  reclaim(options: CallOptions = {}): Promise<number> {
    return this.#caller.call("reclaim", [], options);
  }

  /** What the engine is made of. */
  stats(options: CallOptions = {}): Promise<Stats> {
    return this.#caller.call("stats", [], options);
  }

  /** A copy of the store as one file, which every other host of Littoral opens. */
  async export(options: CallOptions = {}): Promise<Blob> {
    const bytes = await this.#caller.call<Uint8Array<ArrayBuffer>>("export", [], options);
    return new Blob([bytes], { type: "application/vnd.littoral" });
  }

  /** Asks the browser not to throw the store away when it needs room; whether it agreed. An abort ends the waiting, not the question to the user. */
  async persist(options: CallOptions = {}): Promise<boolean> {
    return (await abortable(Promise.resolve(globalThis.navigator?.storage?.persist?.()), options.signal)) ?? false;
  }

  /** What the browser says of its room for this origin, in bytes; nothing where it says nothing. */
  async quota(options: CallOptions = {}): Promise<{ usage: number; quota: number; headroom: number; persisted: boolean } | undefined> {
    options.signal?.throwIfAborted();
    const storage = globalThis.navigator?.storage;
    if (!storage?.estimate) return undefined;
    const asked = Promise.all([storage.estimate(), storage.persisted?.() ?? false]);
    const [{ usage = 0, quota = 0 }, persisted] = await abortable(asked, options.signal);
    return { usage, quota, headroom: Math.max(0, quota - usage), persisted };
  }

  /**
   * Closes the store. With a remote, uploads go on for at most `patience` milliseconds before; what is left stays queued.
   * An abort ends the waiting: the store closes all the same, at most that much later.
   */
  async close(options: CallOptions & { patience?: number } = {}): Promise<void> {
    const { patience = 0, signal } = options;
    this.#closing ??= this.#close(signal?.aborted ? 0 : patience);
    await abortable(this.#closing, signal);
  }

  async #close(patience: number): Promise<void> {
    try {
      await this.#caller.call("close", [patience]);
    } catch (error) {
      if ((error as LittoralError).code !== "Closed") throw error;
    } finally {
      this.#closed();
      this.#board.end();
      this.#caller.end(new LittoralError("Closed", "the store was closed: open it again"));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Immutable bytes, named by their SHA-256. */
export class Blobs {
  #caller: Caller;

  /** @internal */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Stores bytes; resolves to their pointer once they are durable here. They travel to the remote by themselves.
   * With `transfer`, the array's buffer is handed over instead of copied, and cannot be used any more.
   */
  async put(content: Content, options: CallOptions & { transfer?: boolean } = {}): Promise<Pointer> {
    const { value, transfer } = await movable(content, options.transfer ?? false);
    return this.#caller.call("put", [value], { signal: options.signal, transfer });
  }

  /** The blob's bytes, checked. What is only remote is fetched and kept. */
  get(pointer: Pointer, options: CallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.#caller.call("get", [pointer], options);
  }

  /** The blob's bytes as text. */
  async text(pointer: Pointer, options: CallOptions = {}): Promise<string> {
    return new TextDecoder().decode(await this.get(pointer, options));
  }

  /** Bytes `from..to` of the blob, cut to its end. */
  range(pointer: Pointer, from: number, to: number, options: CallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.#caller.call("range", [pointer, from, to], options);
  }

  /** The blob as a stream, in bounded memory. */
  stream(pointer: Pointer, options: CallOptions = {}): ReadableStream<Uint8Array<ArrayBuffer>> {
    let at = 0;
    return new ReadableStream({
      pull: async (controller) => {
        const bytes = await this.range(pointer, at, at + PIECE, options);
        at += bytes.length;
        if (bytes.length > 0) controller.enqueue(bytes);
        if (bytes.length < PIECE) controller.close();
      },
    });
  }

  /** An address for `<img>` and others; give it back with `URL.revokeObjectURL`. */
  async url(pointer: Pointer, options: CallOptions & { type?: string } = {}): Promise<string> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    const reader = this.stream(pointer, options).getReader();
    for (let piece; (piece = (await reader.read()).value) !== undefined; ) pieces.push(piece);
    return URL.createObjectURL(new Blob(pieces, { type: options.type ?? "" }));
  }

  /** What is known of the blob, or nothing if it is not there. */
  stat(pointer: Pointer, options: CallOptions = {}): Promise<Stat | undefined> {
    return this.#caller.call("stat", [pointer], options);
  }

  /** Whether each blob is there. */
  has(pointers: Pointer[], options: CallOptions = {}): Promise<boolean[]> {
    return this.#caller.call("has", [pointers], options);
  }

  /** Deletes the blob, here at once and on the remote in time; whether it was there. */
  delete(pointer: Pointer, options: CallOptions = {}): Promise<boolean> {
    return this.#caller.call("delete", [pointer], options);
  }

  /** All blobs in the order of their pointers; with `here`, only those that are on this side. */
  async *list(options: CallOptions & { here?: boolean } = {}): AsyncIterableIterator<{ pointer: Pointer; size: number }> {
    let after: Pointer | undefined;
    for (;;) {
      const page = await this.#caller.call<{ pointer: Pointer; size: number }[]>("list", [after, PAGE, options.here ?? false], options);
      const last = page.at(-1);
      if (!last) return;
      after = last.pointer;
      yield* page;
    }
  }

  /** Keeps the blob here, whatever the cache's bound. */
  pin(pointer: Pointer, options: CallOptions = {}): Promise<void> {
    return this.#caller.call("pin", [pointer, true], options);
  }

  /** Lets the blob go when the cache is full. */
  unpin(pointer: Pointer, options: CallOptions = {}): Promise<void> {
    return this.#caller.call("pin", [pointer, false], options);
  }
}

/** Names that point at blobs and are moved by compare-and-swap. */
export class Roots {
  #caller: Caller;

  /** @internal */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Where the name points, or nothing. */
  get(name: string, options: CallOptions = {}): Promise<Pointer | undefined> {
    return this.#caller.call("root", [name], options);
  }

  /** Moves the name from where it must point now; `undefined` is "not there". `Conflict` when it points elsewhere. */
  move(name: string, from: Pointer | undefined, to: Pointer | undefined, options: CallOptions = {}): Promise<void> {
    return this.#caller.call("moveRoot", [name, from, to], options);
  }

  /** All names in their order; with `here`, only those that are on this side, without asking the remote. */
  async *list(options: CallOptions & { here?: boolean } = {}): AsyncIterableIterator<{ name: string; pointer: Pointer }> {
    let after: string | undefined;
    for (;;) {
      const page = await this.#caller.call<{ name: string; pointer: Pointer }[]>("roots", [after, PAGE, options.here ?? false], options);
      const last = page.at(-1);
      if (!last) return;
      after = last.name;
      yield* page;
    }
  }
}

/** What can be sent to a worker. A stream becomes a Blob, which browsers keep outside of memory when it is large. */
async function movable(content: Content, take: boolean): Promise<{ value: Uint8Array | Blob; transfer: Transferable[] }> {
  if (typeof content === "string") {
    const value = new TextEncoder().encode(content);
    return { value, transfer: [value.buffer] };
  }
  if (content instanceof Blob) return { value: content, transfer: [] };
  if (content instanceof ReadableStream) return { value: await new Response(content).blob(), transfer: [] };
  const view = content instanceof ArrayBuffer ? new Uint8Array(content) : ArrayBuffer.isView(content) && new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  if (view) {
    // What is not handed over is copied here and now: the caller may go on to change it.
    const value = take ? view : view.slice();
    return { value, transfer: [value.buffer as ArrayBuffer] };
  }
  throw new LittoralError("InvalidInput", "put takes a Blob, a File, bytes, a string or a stream");
}

/** What the page was told of the store. */
export class Board {
  pending: Pending = { count: 0, bytes: 0, failed: 0, missing: 0 };
  #status: any = { phase: "local" };
  #version = 1;
  #ended = false;
  #changed = new Set<() => void>();

  tell(news: any): void {
    if (news.status) this.#status = news.status;
    const { pending } = news;
    if (pending) {
      const { count, bytes, failed, missing, oldest } = pending;
      this.pending = { count, bytes, failed, missing, oldest: oldest === undefined ? undefined : new Date(oldest) };
    }
    this.#version++;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const wake of changed) wake();
  }

  async *watch(storage: StorageMode, signal?: AbortSignal): AsyncIterableIterator<Status> {
    for (let seen = 0; !this.#ended; ) {
      signal?.throwIfAborted();
      if (seen !== this.#version) {
        seen = this.#version;
        const { phase, reason, lastError, active = 0, uploaded = 0, uploadedBytes = 0, sentBytes = 0, fetched = 0, fetchedBytes = 0 } = this.#status;
        yield { ...this.pending, phase, reason, lastError, active, uploaded, uploadedBytes, sentBytes, fetched, fetchedBytes, storage };
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#changed.add(resolve);
        signal?.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }
}
