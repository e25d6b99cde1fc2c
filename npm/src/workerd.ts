/**
 * The same store where there are neither workers nor files: in memory, and only when asked for.
 * @module
 */

// @ts-expect-error The runtime compiles it.
import core from "./core.wasm";
import { Callee, Caller } from "./calls.js";
import { LittoralError } from "./errors.js";
import { Host, load } from "./host.js";
import { MemoryVolume } from "./memory.js";
import { type OpenOptions, type StorageMode, checkName } from "./options.js";
import { Board, Store } from "./store.js";

export * from "./public.js";

/** Makes a store in memory; `backend` must say so. */
export async function open(name: string, options: OpenOptions = {}): Promise<Store> {
  checkName(name);
  const { remote, backend = "auto", cache, from } = options;
  if (backend !== "memory") {
    throw new LittoralError("NotImplemented", 'nothing is kept here: ask for it with `backend: "memory"`');
  }
  await load(core);
  const mode: StorageMode = { backend, why: "asked for: it is forgotten with the isolate", lost: false };
  const host = await Host.open({ name, backend, remote, cache, from }, { volume: new MemoryVolume(), mode });
  const board = new Board();
  const caller = new Caller();
  const callee = new Callee(
    (message) => {
      if (message.news) board.tell(message.news);
      caller.receive(message.answers);
    },
    (method, args, running) => host.call(method, args, running),
    false,
    () => host.news(),
  );
  // A copy, as anywhere else: the caller may change what it has put while it is being hashed.
  caller.connect((message, transfer) => callee.receive(structuredClone(message, { transfer })));
  void host.watch((news) => board.tell(news));
  return new Store(name, caller, board, mode);
}
