// Where a store is kept in a browser: chosen here, and told.

import { existsInOpfs, openOpfs } from "../../host-browser/js/opfs.js";
import { existsInIndexedDb, openIndexedDb } from "../../host-browser/js/indexeddb.js";
import type { VolumeHost } from "../../host-browser/js/volume.js";
import { LittoralError } from "./errors.js";
import { MemoryVolume } from "./memory.js";
import type { Backend, StorageMode } from "./options.js";

export interface Place {
  volume: VolumeHost;
  mode: StorageMode;
}

/** Opens what the store is kept in. */
export async function openPlace(name: string, backend: Backend | "auto"): Promise<Place> {
  switch (backend) {
    case "memory":
      return { volume: new MemoryVolume(), mode: { backend, why: "asked for: it is forgotten when the page goes", lost: false } };
    case "opfs":
      return at("opfs", await openOpfs(name), "");
    case "indexeddb":
      return at("indexeddb", await openIndexedDb(name), "");
    case "auto":
      return choose(name);
    default:
      throw new LittoralError("InvalidInput", `there is no backend ${backend} here: opfs, indexeddb, memory or auto`);
  }
}

/** OPFS where it works. A store that is in IndexedDB already stays there. */
async function choose(name: string): Promise<Place> {
  let why: string;
  try {
    if ((await existsInIndexedDb(name)) && !(await existsInOpfs(name))) {
      why = "the store was made in IndexedDB";
    } else {
      return at("opfs", await openOpfs(name), "");
    }
  } catch (error: any) {
    // Another place would be another store. A full disk is no reason to go elsewhere either.
    if (error?.code === "Busy" || error?.name === "QuotaExceededError" || (await existsInOpfs(name))) throw error;
    why = `no OPFS: ${error?.message ?? error}`;
  }
  return at("indexeddb", await openIndexedDb(name), why);
}

function at(backend: Backend, volume: VolumeHost, why: string): Place {
  return { volume, mode: { backend, why, lost: false } };
}
