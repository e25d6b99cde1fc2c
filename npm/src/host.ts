// The engine with what it is kept in: whoever has this owns the store.

import init, { Engine, __wbg_reset_state, type InitInput } from "../build/engine.js";
import type { VolumeHost } from "../../host-browser/js/volume.js";
import type { Running } from "./calls.js";
import { MemoryVolume } from "./memory.js";
import { HINT, LittoralError, POISONED, toWire } from "./errors.js";
import type { EngineOptions, StorageMode } from "./options.js";

/** Bytes, a compiled module, a response, or an address to fetch it from. */
export type WasmSource = InitInput | Promise<Response | WebAssembly.Module | BufferSource>;

type Method = (...args: unknown[]) => unknown;

/** A larger blob is handed over piece by piece. */
const WHOLE = 1 << 20;
/** From here on WebCrypto hashes; docs/browser.md has what was measured. */
const HASHED = 4096;

/** What the store is doing, as it is told to everybody who has it open. */
export interface News {
  status?: unknown;
  pending?: PendingNow;
}

interface PendingNow {
  count: number;
  bytes: number;
  failed: number;
  missing: number;
  /** Milliseconds since 1970. */
  oldest: number | undefined;
}

let loaded: Promise<unknown> | undefined;

/** Compiles the module, once. */
export function load(source: WasmSource): Promise<unknown> {
  loaded ??= start(source).catch((error) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function start(source: WasmSource): Promise<void> {
  const url = typeof source === "string" || source instanceof URL ? String(source) : undefined;
  const failed = (why: unknown, hint = "") => {
    const message = `the WebAssembly module cannot be loaded${url ? ` from ${url}` : ""}: ${why}${hint}`;
    return new LittoralError("InvalidInput", message, { cause: why });
  };
  if (url) {
    const response = await fetch(url).catch((error) => {
      throw new LittoralError("Transient", `the WebAssembly module at ${url} cannot be reached: ${error?.message ?? error}`, { cause: error });
    });
    // What bundlers serve for a file that they did not take along.
    if (!response.ok) throw failed(`the answer is ${response.status}`, `. ${HINT}`);
    if (response.headers.get("content-type")?.includes("text/html")) throw failed("an HTML page came instead", `. ${HINT}`);
    source = response;
  }
  await init({ module_or_path: source }).catch((error) => {
    throw failed(error?.message ?? error);
  });
}

/** After a panic the next instance begins anew. */
export function reset(): void {
  loaded = undefined;
  __wbg_reset_state();
}

/** What a store's file begins with is written last: until then it is none. */
const HEAD = 8192;
const PAGE = 4096;
const PIECE = 1 << 20;

/** Makes a volume that is empty, or was being filled when something came in between, a copy of `from`. */
async function fill(volume: VolumeHost, from: Blob): Promise<void> {
  if (volume.len() > 0) {
    let head: Uint8Array = new Uint8Array(Math.min(HEAD, volume.len()));
    head = (await volume.read(0, head)) ?? head;
    if (head.some((byte) => byte !== 0)) return;
  }
  const bytes = async (start: number, end: number) => new Uint8Array(await from.slice(start, end).arrayBuffer());
  await volume.setLen(0);
  await volume.setLen(from.size);
  // In pages: the engine writes over whole ones, and a volume that keeps each write as a row must not keep more in it.
  const write = async (start: number, bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; at += PAGE) await volume.write(start + at, bytes.subarray(at, at + PAGE));
  };
  for (let at = HEAD; at < from.size; at += PIECE) await write(at, await bytes(at, at + PIECE));
  await volume.sync();
  await write(0, await bytes(0, HEAD));
  await volume.sync();
}

/** Errors inside of an answer travel as what they say: a message would take their codes away. */
function plain(value: any): any {
  if (value instanceof Error) return toWire(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value?.constructor !== Object) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
}

/** An open store in this thread. */
export class Host {
  readonly mode: StorageMode;
  /** Why it takes no calls any more. */
  broken: LittoralError | undefined;
  /** Told once when it breaks. */
  onBroken: (error: LittoralError) => void = () => {};
  #engine: Engine;
  #volume: VolumeHost;
  #remote: boolean;
  #closed = false;
  /** What is left was just looked up, and not told yet. */
  #looked = false;
  /** Puts of this turn that are being hashed. */
  #hashing: { bytes: Uint8Array<ArrayBuffer>; put(pointer: Promise<string>): void; failed(error: unknown): void }[] = [];
  #pending: PendingNow = { count: 0, bytes: 0, failed: 0, missing: 0, oldest: undefined };

  private constructor(engine: Engine, volume: VolumeHost, mode: StorageMode, remote: boolean) {
    this.#engine = engine;
    this.#volume = volume;
    this.mode = mode;
    this.#remote = remote;
  }

  static async open(options: EngineOptions, { volume, mode }: { volume: VolumeHost; mode: StorageMode }): Promise<Host> {
    try {
      const { remote, cache, from } = options;
      mode.made = volume.len() === 0;
      if (from) await fill(volume, from);
      const engine: Engine = await Engine.open(volume, remote?.url, remote?.token, cache);
      return new Host(engine, volume, mode, remote !== undefined);
    } catch (error) {
      volume.close();
      throw error;
    }
  }

  /** One call of the page: what it comes to, or a promise of it. */
  call(method: string, args: any[], running: Running): unknown {
    if (this.broken) throw this.broken;
    if (this.#closed && method !== "close") throw new LittoralError("Closed", "the store was closed: open it again");
    const failed = (error: unknown) => {
      throw error instanceof WebAssembly.RuntimeError ? this.poison(error) : error;
    };
    try {
      const found = this.#call(method, args, running);
      return found instanceof Promise ? found.then(plain, failed) : plain(found);
    } catch (error) {
      return failed(error);
    }
  }

  /** The engine met a mistake of its own. */
  poison(error: unknown): LittoralError {
    if (!this.broken) {
      this.broken = new LittoralError("Poisoned", POISONED, { cause: error });
      this.#volume.close();
      // The answer to the call that met it goes first.
      setTimeout(() => this.onBroken(this.broken!));
    }
    return this.broken;
  }

  #call(method: string, args: any[], running: Running): unknown {
    const engine = this.#engine;
    const cancel = () => {
      const { cancelled } = running;
      return new Promise<unknown>((resolve) => (cancelled.aborted ? resolve(undefined) : cancelled.addEventListener("abort", resolve, { once: true })));
    };
    switch (method) {
      case "put":
        return this.#put(args[0]);
      case "sync":
        return this.#sync(running);
      case "close":
        return this.close(args[0]);
      case "export":
        return this.#export();
      case "verify":
        this.#volume.forget?.();
        return engine.verify();
      case "get":
      case "range":
      case "stat":
      case "has":
      case "delete":
      case "list":
      case "root":
      case "moveRoot":
      case "roots":
      case "queue":
      case "pending":
      case "retryFailed":
      case "pin":
      case "pause":
      case "resume":
      case "wake":
      case "reclaim":
      case "stats":
      case "docRead":
      case "docHistory":
      case "docDiff":
      case "docCommit":
      case "docDeclareKey":
      case "docSnapshot":
      case "docScope":
      case "docScopes":
      case "docBegin":
      case "docTransaction":
      case "docAbort":
        return (engine[method] as Method).call(engine, ...args);
      case "docNext":
      case "docOutcome":
        return (engine[method] as Method).call(engine, ...args, cancel());
      // The last argument says since when it may have been done already.
      case "docPatch":
      case "docPromote":
      case "docJoin":
        return (engine[method] as Method).call(engine, ...(running.again ? args : args.slice(0, -1)));
      case "docDrop":
        return engine.docDrop(args[0], running.again);
      default:
        throw new LittoralError("NotImplemented", `there is no call ${method}`);
    }
  }

  async #sync(running: Running): Promise<void> {
    await this.#engine.sync(new Promise((resolve) => running.cancelled.addEventListener("abort", resolve, { once: true })));
    // The running counts may lag behind what has left the queue: the answer goes with what is really left.
    if (this.#remote) await this.#look();
    this.#looked = true;
  }

  async #put(content: Uint8Array<ArrayBuffer> | Blob): Promise<string> {
    const { size } = content instanceof Blob ? content : { size: content.length };
    if (size > WHOLE) {
      const reader = new Blob([content]).stream().getReader();
      return this.#engine.putStream({ next: async () => (await reader.read()).value });
    }
    const bytes = content instanceof Blob ? new Uint8Array(await content.arrayBuffer()) : content;
    if (size < HASHED || !globalThis.crypto?.subtle) return this.#engine.put(bytes);
    return new Promise((put, failed) => {
      if (this.#hashing.push({ bytes, put, failed }) === 1) queueMicrotask(() => void this.#putHashed());
    });
  }

  /** Puts of one turn go into the engine in one turn as well: they are one group there, with one sync. */
  async #putHashed(): Promise<void> {
    const all = this.#hashing;
    this.#hashing = [];
    // The engine hashes what could not be hashed here.
    const hashes = await Promise.all(all.map(({ bytes }) => crypto.subtle.digest("SHA-256", bytes).catch(() => undefined)));
    for (const [index, { bytes, put, failed }] of all.entries()) {
      const hash = hashes[index];
      try {
        if (this.broken) throw this.broken;
        put(this.#engine.put(bytes, hash && new Uint8Array(hash)));
      } catch (error) {
        failed(error);
      }
    }
  }

  /** A copy of the store as a file. */
  async #export(): Promise<Uint8Array> {
    const copy = new MemoryVolume();
    await this.#engine.backup(copy);
    return copy.toBytes();
  }

  /** What is left to upload, if that changed since it was told. */
  news(): News | undefined {
    if (!this.#remote || this.broken || this.#closed) return undefined;
    if (this.#looked) {
      this.#looked = false;
      return { pending: this.#pending };
    }
    const [count, bytes, failed, missing] = this.#engine.counts() as Float64Array & [number, number, number, number];
    const last = this.#pending;
    if (count === last.count && bytes === last.bytes && failed === last.failed && missing === last.missing) return undefined;
    const oldest = count === 0 ? undefined : (last.oldest ?? Date.now());
    this.#pending = { count, bytes, failed, missing, oldest };
    return { pending: this.#pending };
  }

  /** Tells what changes, until the store is closed. */
  async watch(tell: (news: News) => void): Promise<void> {
    if (!this.#remote) return;
    const watch = this.#engine.watch();
    try {
      for (let status; (status = await watch.next()) !== undefined; ) {
        if (status.phase !== "closed") await this.#look();
        tell({ status: plain(status), pending: this.#pending });
      }
    } catch (error) {
      // Whoever calls next is told as well.
      if (error instanceof WebAssembly.RuntimeError) this.poison(error);
    }
  }

  /** Counts what is left to upload. A store that cannot be read has no new count: what it is doing is told all the same. */
  async #look(): Promise<void> {
    try {
      const { count, bytes, failed, missing, oldest } = await this.#engine.pending();
      this.#pending = { count, bytes, failed, missing, oldest };
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) throw error;
    }
  }

  async close(patience = 0): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#engine.close(patience);
    } finally {
      this.#volume.close();
    }
  }
}
