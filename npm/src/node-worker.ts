// The thread that a Node process starts for a store: the engine, over a file.

import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { Callee, type Message } from "./calls.js";
import { openFile } from "./file.js";
import { type LittoralError, toWire, wrap } from "./errors.js";
import { Host, load } from "./host.js";
import { MemoryVolume } from "./memory.js";
import type { EngineOptions, StorageMode } from "./options.js";
import type { ToPage } from "./tab.js";

/** What the process hands over. */
export interface NodeStart extends EngineOptions {
  path: string;
  wasm: string;
}

const start = workerData as NodeStart;
const port = parentPort!;
const post = (message: ToPage, transfer: Transferable[] = []) => port.postMessage(message, transfer as any);
let host: Host | undefined;

const opened = (async () => {
  await load(readFileSync(new URL(start.wasm)));
  const memory = start.backend === "memory";
  const mode: StorageMode = { backend: memory ? "memory" : "file", why: memory ? "asked for: it is forgotten with the process" : "", lost: false };
  const volume = memory ? new MemoryVolume() : openFile(start.path);
  host = await Host.open(start, { volume, mode });
  host.onBroken = end;
  void host.watch((news) => post({ news }));
  return mode;
})();
opened.catch(() => {});

const callee = new Callee(
  post,
  async (method, args, running) => {
    const mode = await opened;
    return method === "open" ? mode : host!.call(method, args, running);
  },
  true,
  () => host?.news(),
);

port.on("message", (message: Message) => callee.receive(message));

// A panic inside of background work. Node would end the whole process.
const broke = (thrown: unknown) => (host ? void host.poison(thrown) : end(wrap(thrown)));

function end(error: LittoralError): void {
  callee.fail(error);
  post({ ended: toWire(error) });
  port.close();
}
process.on("uncaughtException", broke);
process.on("unhandledRejection", broke);
