// A volume in a file, in Node.

import { closeSync, fdatasync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, readSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { VolumeHost } from "../../host-browser/js/volume.js";
import { LittoralError } from "./errors.js";

/** Opens the file, or makes an empty one. */
export function openFile(path: string): VolumeHost {
  const unlock = lock(`${path}.lock`, path);
  try {
    return new FileVolume(openOrMake(path), unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

function openOrMake(path: string): number {
  try {
    return openSync(path, "r+");
  } catch (error: any) {
    if (error?.code !== "ENOENT") throw error;
  }
  const file = openSync(path, "wx+");
  try {
    syncFolder(dirname(path));
    return file;
  } catch (error) {
    closeSync(file);
    unlinkSync(path);
    throw error;
  }
}

/** A new file's name has to survive as well. */
function syncFolder(path: string): void {
  // Windows has no folders that could be synced.
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Makes the file that says who has the store open. One that a process left behind that is gone does not count. */
function lock(path: string, store: string): () => void {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = openSync(path, "wx");
      writeSync(file, String(process.pid));
      closeSync(file);
      return () => {
        try {
          unlinkSync(path);
        } catch {}
      };
    } catch (error: any) {
      if (error?.code !== "EEXIST") throw error;
    }
    const owner = Number(read(path));
    if (!Number.isInteger(owner) || owner <= 0 || isAlive(owner)) {
      throw new LittoralError("Busy", `${store} is open in process ${owner || "unknown"}: close it there; if that is no process of yours, delete ${path}`);
    }
    unlinkSync(path);
  }
  throw new LittoralError("Busy", `${store} is being opened by others as well: try again`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error: any) {
    return error?.code !== "ESRCH";
  }
}

class FileVolume implements VolumeHost {
  #file: number | undefined;
  #unlock: () => void;
  /** Syncs under way: the file stays open for them. */
  #syncing = 0;
  #closed = false;

  constructor(file: number, unlock: () => void) {
    this.#file = file;
    this.#unlock = unlock;
  }

  get #fd(): number {
    if (this.#closed || this.#file === undefined) throw new LittoralError("Closed", "the store was closed: open it again");
    return this.#file;
  }

  len(): number {
    return fstatSync(this.#fd).size;
  }

  setLen(len: number): void {
    ftruncateSync(this.#fd, len);
  }

  read(offset: number, into: Uint8Array): void {
    for (let at = 0; at < into.length; ) {
      const count = readSync(this.#fd, into, at, into.length - at, offset + at);
      if (count === 0) throw new LittoralError("OutOfRange", `the file ends before ${into.length} bytes at ${offset}`);
      at += count;
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(this.#fd, bytes, at, bytes.length - at, offset + at);
    }
  }

  gather(): void {}

  /** On a thread of Node's pool: what is asked meanwhile gathers for the next one. */
  sync(): Promise<void> {
    this.#syncing++;
    return new Promise((resolve, reject) => {
      fdatasync(this.#fd, (error) => {
        this.#syncing--;
        if (this.#closed) this.#release();
        if (error) reject(error);
        else resolve();
      });
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }

  #release(): void {
    if (this.#syncing > 0 || this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    this.#unlock();
  }
}
