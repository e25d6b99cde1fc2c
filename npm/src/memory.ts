// A volume in memory: for stores that are meant to be forgotten, and for copies.

import type { VolumeHost } from "../../host-browser/js/volume.js";
import { LittoralError } from "./errors.js";

export class MemoryVolume implements VolumeHost {
  #bytes: Uint8Array<ArrayBuffer>;
  #len: number;

  constructor(bytes: Uint8Array<ArrayBuffer> = new Uint8Array()) {
    this.#bytes = bytes;
    this.#len = bytes.length;
  }

  len(): number {
    return this.#len;
  }

  setLen(len: number): void {
    if (len > this.#bytes.length) {
      let larger;
      try {
        larger = new Uint8Array(Math.max(len, this.#bytes.length * 2));
      } catch (cause) {
        throw new LittoralError("Quota", `no memory for a store of ${len} bytes`, { cause });
      }
      larger.set(this.#bytes.subarray(0, this.#len));
      this.#bytes = larger;
    } else if (len < this.#len) {
      this.#bytes.fill(0, len, this.#len);
    }
    this.#len = len;
  }

  read(offset: number, into: Uint8Array): void {
    if (offset + into.length > this.#len) {
      throw new LittoralError("OutOfRange", `the volume ends before ${into.length} bytes at ${offset}`);
    }
    into.set(this.#bytes.subarray(offset, offset + into.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.#len) this.setLen(offset + bytes.length);
    this.#bytes.set(bytes, offset);
  }

  gather(): void {}

  sync(): void {}

  close(): void {}

  /** What is in it. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#len);
  }
}
