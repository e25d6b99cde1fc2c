/**
 * The same store in Node, in a file. The engine runs in a thread of its own, so that neither a sync nor a hash stops the process.
 * @module
 */

import { resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { Caller } from "./calls.js";
import { LittoralError, fromWire } from "./errors.js";
import type { NodeStart } from "./node-worker.js";
import { type OpenOptions, type StorageMode, checkName } from "./options.js";
import { Board, Store } from "./store.js";
import type { ToPage } from "./tab.js";

export * from "./public.js";

/** Opens the store in the file `path` (`NAME.littoral` when left out), or makes one. One process has it open at a time. */
export async function open(name: string, options: OpenOptions = {}): Promise<Store> {
  checkName(name);
  const { remote, backend = "auto", cache, from, signal, path = `${name}.littoral` } = options;
  if (backend !== "auto" && backend !== "file" && backend !== "memory") {
    throw new LittoralError("InvalidInput", `there is no backend ${backend} in Node: file, memory or auto`);
  }
  signal?.throwIfAborted();
  const start: NodeStart = { name, backend, remote, cache, from, path: resolve(path), wasm: new URL("./core.wasm", import.meta.url).href };
  // A thread takes over how the process was started, and is none that reads its code from the command line.
  const execArgv = process.execArgv.filter((option) => !option.startsWith("--input-type"));
  const worker = new Worker(new URL("./node-worker.js", import.meta.url), { workerData: start, execArgv });
  const board = new Board();
  // A store that nobody waits for does not keep the process alive.
  const caller = new Caller(
    (message, transfer) => worker.postMessage(message, transfer as any),
    (waiting) => (waiting ? worker.ref() : worker.unref()),
  );
  const end = (error: LittoralError) => {
    caller.end(error);
    board.end();
  };
  worker.on("message", (message: ToPage) => {
    if (message.news) board.tell(message.news);
    if (message.answers) caller.receive(message.answers);
    if (message.ended) end(fromWire(message.ended));
  });
  worker.on("error", (cause) => end(new LittoralError("Poisoned", "the engine's thread stopped: open the store again", { cause })));
  worker.on("exit", () => end(new LittoralError("Closed", "the store was closed: open it again")));
  try {
    const mode = await caller.call<StorageMode>("open", [], { signal });
    return new Store(name, caller, board, mode, () => void worker.terminate());
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}
