/**
 * A crash-safe store in a tab: blobs that work offline, survive reloads, and upload when the network is back.
 *
 * ```ts
 * import { open } from "littoral";
 * await using store = await open("notes", { remote: { url, token } });
 * const pointer = await store.blobs.put(file);
 * ```
 * @module
 */

import { openWith } from "./browser.js";
import type { OpenOptions } from "./options.js";
import type { Store } from "./store.js";

export * from "./public.js";

/** Opens the store of this name, or makes one. Several tabs may have it open. */
export function open(name: string, options: OpenOptions = {}): Promise<Store> {
  return openWith(
    {
      // In this form bundlers find the files.
      worker: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" }),
      wasm: () => new URL("./core.wasm", import.meta.url).href,
      workerUrl: new URL("./worker.js", import.meta.url).href,
    },
    name,
    options,
  );
}
