// Opening a store in a page: the engine lives in a worker, which is started here.

import { Caller, abortable } from "./calls.js";
import { HINT, LittoralError, fromWire } from "./errors.js";
import type { WasmSource } from "./host.js";
import { type OpenOptions, type StorageMode, checkName } from "./options.js";
import { Board, Store } from "./store.js";
import type { FromPage, ToPage } from "./tab.js";
import { Vigil } from "./vigil.js";

/** How the worker and the module are found. */
export interface Parts {
  worker(): Worker;
  wasm(): WasmSource;
  /** Where the worker's code is, to find out why it does not start. */
  workerUrl?: string | undefined;
}

/** Opens the store of this name, or makes one. */
export async function openWith(parts: Parts, name: string, options: OpenOptions = {}): Promise<Store> {
  checkName(name);
  const { remote, backend = "auto", cache, from, signal } = options;
  signal?.throwIfAborted();
  if (typeof Worker === "undefined") {
    throw new LittoralError("NotImplemented", "there are no workers here: the engine needs one");
  }
  const worker = parts.worker();
  const caller = new Caller();
  const board = new Board();
  const vigil = new Vigil();
  const end = (error: LittoralError) => {
    caller.end(error);
    board.end();
    worker.terminate();
  };
  const ready = new Promise<void>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<ToPage>) => {
      if (data.answers) vigil.came();
      if (data.ready) resolve();
      if (data.news) board.tell(data.news);
      if (data.answers) caller.receive(data.answers);
      if (data.ended) end(fromWire(data.ended));
    };
    worker.onerror = (event) => {
      event.preventDefault?.();
      void whyNotStarted(parts.workerUrl, event.message).then(reject);
    };
  });
  try {
    await abortable(ready, signal);
    const wasm = await parts.wasm();
    worker.onerror = (event) => end(new LittoralError("Poisoned", `the engine's worker stopped: ${event.message}`));
    worker.postMessage({ open: { name, backend, remote: remote && { ...remote }, cache, from, wasm } } satisfies FromPage);
    caller.connect((message, transfer) => {
      worker.postMessage(message, transfer);
      vigil.went();
    });
    const mode = await caller.call<StorageMode>("open", [], { signal });
    const stop = sleepAndWake(worker, caller);
    if (mode.backend !== "memory") mode.lost = remember(name, mode.made ?? false);
    return new Store(name, caller, board, mode, stop);
  } catch (error) {
    worker.terminate();
    throw error;
  }
}

/** A page that is frozen or kept for the back button gives the store to another tab. */
function sleepAndWake(worker: Worker, caller: Caller): () => void {
  if (typeof document === "undefined") return () => {};
  const ended = new AbortController();
  const { signal } = ended;
  const tell = (message: FromPage) => worker.postMessage(message);
  document.addEventListener("freeze", () => tell({ sleep: true }), { signal });
  document.addEventListener("resume", () => tell({ wake: true }), { signal });
  addEventListener("pagehide", (event) => event.persisted && tell({ sleep: true }), { signal });
  addEventListener("pageshow", (event) => event.persisted && tell({ wake: true }), { signal });
  // What waits for its next attempt need not wait any longer.
  addEventListener("online", () => void caller.call("wake", []).catch(() => {}), { signal });
  return () => ended.abort();
}

/** Keeps in mind that there is such a store; whether there was one before, if this one was just made. */
function remember(name: string, made: boolean): boolean {
  try {
    const key = `littoral:${name}`;
    const known = localStorage.getItem(key) !== null;
    localStorage.setItem(key, "made");
    return made && known;
  } catch {
    // Nothing can be remembered here.
    return false;
  }
}

/** A bundler that does not know the worker sends its own page instead. */
async function whyNotStarted(url: string | undefined, message: string | undefined): Promise<LittoralError> {
  let found = message ?? "no reason was given";
  try {
    if (url) {
      const response = await fetch(url);
      const type = response.headers.get("content-type") ?? "";
      if (!response.ok) found = `${url} answers with ${response.status}`;
      else if (type.includes("text/html")) found = `${url} is an HTML page`;
    }
  } catch (error) {
    found = String(error);
  }
  return new LittoralError(
    "InvalidInput",
    `the engine's worker does not start (${found}). ${HINT}`,
  );
}
