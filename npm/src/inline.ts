/**
 * The same store from one file, with no configuration anywhere: the worker and the module are inside of it.
 * @module
 */

// @ts-expect-error Written by the build.
import core from "inline:core";
import { inlineWorker } from "./inline-worker.js";
import { openWith } from "./browser.js";
import type { OpenOptions } from "./options.js";
import type { Store } from "./store.js";

export * from "./public.js";

let module: Promise<ArrayBuffer> | undefined;

/** Opens the store of this name, or makes one. Several tabs may have it open. */
export function open(name: string, options: OpenOptions = {}): Promise<Store> {
  return openWith({ worker: inlineWorker, wasm: () => (module ??= unpack(core as string)) }, name, options);
}

/** Bytes that were compressed and written as text. */
async function unpack(text: string): Promise<ArrayBuffer> {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
