// @ts-check
// A volume in the origin's private file system: one file, one sync access handle, which is also the lock.

import { makeError } from "./error.js";

/**
 * @import { SyncAccessHandle, VolumeHost } from "./volume.js"
 */

const FOLDER = "littoral";
/** A worker that is going away may hold the file for a moment. */
const ATTEMPTS = 40;
const PAUSE = 50;

/** The folder of all stores. @param {boolean} create */
async function folder(create) {
  const root = await navigator.storage?.getDirectory?.();
  if (!root) throw makeError("NotImplemented", "this browser has no private file system (OPFS) here: use IndexedDB");
  return root.getDirectoryHandle(FOLDER, { create });
}

/** @param {string} name */
function fileName(name) {
  return `${encodeURIComponent(name)}.littoral`;
}

/**
 * Opens the file, or makes an empty one.
 * @param {string} name
 * @returns {Promise<VolumeHost>}
 */
export async function openOpfs(name) {
  /** @type {FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncAccessHandle> }} */
  const file = await (await folder(true)).getFileHandle(fileName(name), { create: true });
  if (!file.createSyncAccessHandle) {
    throw makeError("NotImplemented", "the private file system (OPFS) can be written only in a dedicated worker of a newer browser");
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return new OpfsVolume(await file.createSyncAccessHandle());
    } catch (error) {
      if (/** @type {any} */ (error)?.name !== "NoModificationAllowedError") throw error;
      if (attempt === ATTEMPTS) {
        throw makeError("Busy", `store ${name} is open in another tab or worker: close it there`);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** Whether there is such a file. @param {string} name */
export async function existsInOpfs(name) {
  try {
    const file = await (await folder(false)).getFileHandle(fileName(name));
    return (await file.getFile()).size > 0;
  } catch {
    return false;
  }
}

/** Takes the file away. @param {string} name */
export async function removeFromOpfs(name) {
  try {
    await (await folder(false)).removeEntry(fileName(name));
  } catch (error) {
    if (/** @type {any} */ (error)?.name !== "NotFoundError") throw error;
  }
}

/** @implements {VolumeHost} */
class OpfsVolume {
  /** @type {SyncAccessHandle} */
  #handle;

  /** @param {SyncAccessHandle} handle */
  constructor(handle) {
    this.#handle = handle;
  }

  len() {
    return this.#handle.getSize();
  }

  /** @param {number} len */
  setLen(len) {
    this.#handle.truncate(len);
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    if (this.#handle.read(into, { at: offset }) !== into.length) {
      throw makeError("OutOfRange", `the file ends before ${into.length} bytes at ${offset}`);
    }
  }

  /** @param {number} offset @param {Uint8Array} bytes */
  write(offset, bytes) {
    if (this.#handle.write(bytes, { at: offset }) !== bytes.length) {
      throw makeError("Quota", `no room for ${bytes.length} bytes at ${offset}`);
    }
  }

  gather() {}

  sync() {
    this.#handle.flush();
  }

  close() {
    this.#handle.close();
  }
}
