/**
 * The same store with a module that the caller brings: compiled, as bytes, as a response, or an address.
 *
 * ```ts
 * import { open } from "littoral/slim";
 * import address from "littoral/core.wasm?url";
 * const store = await open("notes", { module: address });
 * ```
 * @module
 */

import { inlineWorker } from "./inline-worker.js";
import { openWith } from "./browser.js";
import type { OpenOptions } from "./options.js";
import type { Store } from "./store.js";

export * from "./public.js";

/** The engine's module: `littoral/core.wasm`, in any form. */
export type Module = string | URL | BufferSource | WebAssembly.Module | Response | Promise<Response>;

/** Opens the store of this name, or makes one. Several tabs may have it open. */
export function open(name: string, options: OpenOptions & { module: Module }): Promise<Store> {
  const { module, ...rest } = options;
  return openWith({ worker: inlineWorker, wasm: async () => movable(await module) }, name, rest);
}

/** What can be sent to a worker, which has another place to resolve addresses from. */
async function movable(module: string | URL | BufferSource | WebAssembly.Module | Response) {
  if (module instanceof Response) return module.arrayBuffer();
  if (typeof module === "string" || module instanceof URL) return new URL(module, document.baseURI).href;
  return module;
}
