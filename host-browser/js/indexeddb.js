// @ts-check
// A volume in IndexedDB: one row per write under its offset, one strict transaction per group of writes.
//
// What was written since the last `sync` waits in memory, so a group is one transaction, and what a lost connection took
// is simply written again. Rows never overlap in what they are read for: the row that begins last at or before an offset
// has the byte there. The core writes behind its last write or begins a discarded range, so nothing else is needed.

import { Connection } from "./connection.js";
import { makeError } from "./error.js";
import { Rows } from "./rows.js";

/**
 * @import { VolumeHost } from "./volume.js"
 * @import { Change, Row } from "./rows.js"
 */

const STORE = "rows";
const HEAD = "head";
/** A longer write becomes several rows: a read fetches whole rows. */
const ROW = 16 << 10;
/** More than this does not wait in memory for a `sync`. */
const WAITING = 8 << 20;
/** Room that stays free for what is written into a length that was taken already: deletions, above all. */
const SPARE = 2 << 20;
/** What the browser said of its room is taken for true so long, in milliseconds, */
const TRUSTED = 60_000;
/** and while this much is left. */
const AMPLE = 256 << 20;
/** It is asked again when it was asked longer ago than this. */
const FRESH = 1000;

/**
 * Opens the database of this name, or makes an empty one.
 * @param {string} name
 * @returns {Promise<VolumeHost>}
 */
export async function openIndexedDb(name) {
  const unlock = await lock(`littoral:idb:${name}`, name);
  try {
    const connection = new Connection(databaseName(name), (database) => database.createObjectStore(STORE));
    const { head, keys } = await connection.run("readonly", (transaction) => {
      const rows = transaction.objectStore(STORE);
      const head = rows.get(HEAD);
      const keys = rows.getAllKeys(IDBKeyRange.upperBound(Infinity));
      return () => ({ head: head.result, keys: /** @type {number[]} */ (keys.result) });
    });
    const id = head?.id ?? crypto.randomUUID?.() ?? String(Math.random());
    return new IndexedDbVolume(connection, unlock, { len: head?.len ?? 0, id, stored: head !== undefined }, keys);
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Whether there is such a database with something in it. @param {string} name */
export async function existsInIndexedDb(name) {
  const list = await indexedDB.databases?.();
  return list?.some((database) => database.name === databaseName(name)) ?? false;
}

/** Takes the database away. @param {string} name */
export function removeFromIndexedDb(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(databaseName(name));
    request.onsuccess = () => resolve(undefined);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(makeError("Busy", `store ${name} is open in another tab: close it there`));
  });
}

/** @param {string} name */
function databaseName(name) {
  return `littoral/${name}`;
}

/**
 * Takes the lock of the one writer; the function that is returned gives it back.
 * @param {string} key
 * @param {string} name
 * @returns {Promise<() => void>}
 */
function lock(key, name) {
  // Without Web Locks there are no tabs that could be told apart either.
  if (!navigator.locks) return Promise.resolve(() => {});
  return new Promise((resolve, reject) => {
    const patience = AbortSignal.timeout(2000);
    navigator.locks
      .request(key, { signal: patience }, () => new Promise((release) => resolve(() => release(undefined))))
      .catch((error) => {
        const busy = patience.aborted && makeError("Busy", `store ${name} is open in another tab or worker: close it there`);
        reject(busy || error);
      });
  });
}

/** @implements {VolumeHost} */
class IndexedDbVolume {
  #connection;
  #unlock;
  #head;
  /** The connection that is known to lead to this store. @type {IDBDatabase | undefined} */
  #known;
  /** The head has to be written. */
  #changed = false;
  #rows;
  /** What has to be written, in order. @type {Change[]} */
  #changes = [];
  #waiting = 0;
  /** The transaction that is being written. @type {Promise<void> | undefined} */
  #writing;
  /** What the browser said of its room, less what was taken since, and when it said so. */
  #room = { left: 0, quota: 0, usage: 0, asked: -Infinity };
  /** Reads that are under way. @type {Set<Promise<void>>} */
  #reads = new Set();
  /** Rows that are read in this turn, once each. @type {Map<Row, { bytes: Promise<Uint8Array>, resolve: (bytes: Uint8Array) => void, reject: (error: unknown) => void }>} */
  #asked = new Map();

  /**
   * @param {Connection} connection
   * @param {() => void} unlock
   * @param {{ len: number, id: string, stored: boolean }} head
   * @param {number[]} keys
   */
  constructor(connection, unlock, head, keys) {
    this.#connection = connection;
    this.#unlock = unlock;
    this.#head = head;
    this.#rows = new Rows(keys);
  }

  len() {
    return this.#head.len;
  }

  /** @param {number} len */
  setLen(len) {
    if (len > this.#head.len) {
      // Whoever waits for an answer cannot be in the group of those who need not.
      const age = performance.now() - this.#room.asked;
      const left = this.#room.left - (len - this.#head.len);
      if (left < AMPLE || age > TRUSTED) return this.#grow(len);
      this.#room.left = left;
      if (age > FRESH) this.#measure().catch(() => {});
    }
    if (len < this.#head.len) this.#changes.push(...this.#rows.cut(len));
    this.#setLen(len);
  }

  /** A transaction that finds no room fails as a whole, and the store with it: so it is asked beforehand. @param {number} len */
  async #grow(len) {
    await this.#measure();
    const more = len - this.#head.len;
    const { left, quota, usage } = this.#room;
    if (left < more + SPARE) {
      throw makeError("Quota", `no room for ${more} more bytes: the browser grants ${quota} to this origin, and ${usage} are used`);
    }
    this.#room.left -= more;
    this.#setLen(Math.max(len, this.#head.len));
  }

  async #measure() {
    const { quota: granted, usage = 0 } = (await navigator.storage?.estimate?.()) ?? {};
    // Some browsers do not say.
    const quota = granted || Infinity;
    this.#room = { left: quota - usage, quota, usage, asked: performance.now() };
  }

  /** @param {number} len */
  #setLen(len) {
    this.#head.len = len;
    this.#changed = true;
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    const end = offset + into.length;
    if (end > this.#head.len) throw makeError("OutOfRange", `the database ends before ${into.length} bytes at ${offset}`);
    const found = this.#rows.between(offset, end);
    if (found.every((row) => row.bytes !== undefined)) {
      for (const row of found) {
        row.used = true;
        place(into, offset, row.start, /** @type {Uint8Array} */ (row.bytes));
      }
      return;
    }
    return this.#fetch(found, offset, into.length);
  }

  /** @param {Row[]} found @param {number} offset @param {number} length */
  async #fetch(found, offset, length) {
    const all = await Promise.all(found.map((row) => row.bytes ?? this.#ask(row)));
    // Most values are in one row.
    const at = offset - found[0].start;
    if (all.length === 1 && at >= 0 && at + length <= all[0].length) return all[0].subarray(at, at + length);
    const into = new Uint8Array(length);
    found.forEach((row, index) => place(into, offset, row.start, all[index]));
    return into;
  }

  /** One row; all that is asked in one turn is one transaction. @param {Row} row @returns {Promise<Uint8Array>} */
  #ask(row) {
    const found = this.#asked.get(row);
    if (found) return found.bytes;
    if (this.#asked.size === 0) {
      const read = Promise.resolve().then(() => this.#answer());
      this.#reads.add(read);
      void read.then(() => this.#reads.delete(read));
    }
    /** @type {any} */
    const asked = {};
    asked.bytes = new Promise((resolve, reject) => Object.assign(asked, { resolve, reject }));
    this.#asked.set(row, asked);
    return asked.bytes;
  }

  async #answer() {
    const asked = [...this.#asked];
    this.#asked = new Map();
    try {
      const answers = await this.#connection.run("readonly", (transaction) => {
        const rows = transaction.objectStore(STORE);
        const requests = asked.map(([{ start }]) => rows.get(start));
        return () => requests.map((request) => request.result);
      });
      asked.forEach(([row, { resolve, reject }], index) => {
        const bytes = answers[index];
        if (bytes === undefined) return reject(makeError("Corrupt", `the row at ${row.start} is gone from the database`));
        const own = this.#rows.own(row, bytes);
        this.#rows.keep(row, own);
        resolve(own);
      });
    } catch (error) {
      for (const [, { reject }] of asked) reject(error);
    }
  }

  /**
   * A write waits for the reads that are under way: whoever reads before it writes comes into the same transaction, and a read that
   * comes behind a write would wait for it. Those that begin meanwhile are not waited for: there may always be one.
   */
  gather() {
    if (this.#reads.size === 0) return;
    return Promise.all(this.#reads).then(() => undefined);
  }

  forget() {
    this.#rows.forget();
  }

  /** @param {number} offset @param {Uint8Array} bytes */
  write(offset, bytes) {
    const end = offset + bytes.length;
    if (end > this.#head.len) {
      this.#head.len = end;
      this.#changed = true;
    }
    // What was never written reads as zeros without being there.
    if (this.#rows.isEmpty(offset, end) && bytes.every((byte) => byte === 0)) return;
    for (let at = 0; at < bytes.length; at += ROW) {
      this.#changes.push(...this.#rows.write(offset + at, bytes.slice(at, at + ROW)));
    }
    this.#waiting += bytes.length;
    if (this.#waiting > WAITING) return this.#flush();
  }

  sync() {
    return this.#flush();
  }

  /** Everything that was written before the call is stored when this is done. */
  async #flush() {
    // One that is under way may have begun before the last write.
    while (this.#writing) await this.#writing.catch(() => {});
    if (this.#changes.length === 0 && !this.#changed) return;
    const changes = this.#changes;
    const head = { ...this.#head, changed: this.#changed };
    this.#changes = [];
    this.#changed = false;
    this.#waiting = 0;
    this.#writing = this.#write(changes, head);
    try {
      await this.#writing;
      this.#head.stored = true;
      this.#rows.stored(changes);
    } catch (error) {
      // Whoever asked may have gone; then the next one writes it.
      this.#changes = [...changes, ...this.#changes];
      this.#changed ||= head.changed;
      throw error;
    } finally {
      this.#writing = undefined;
    }
  }

  /** @param {Change[]} changes @param {{ len: number, id: string, stored: boolean, changed: boolean }} head */
  async #write(changes, head) {
    await this.#connection.run("readwrite", (transaction) => {
      const rows = transaction.objectStore(STORE);
      const { db } = transaction;
      let gone = false;
      const write = () => {
        for (const change of changes) {
          if (change.bytes) rows.put(change.bytes, change.start);
          else if (change.end !== undefined) rows.delete(IDBKeyRange.bound(change.start, change.end, false, true));
          else cutRow(rows, change.start, /** @type {number} */ (change.keep));
        }
        if (head.changed) rows.put({ len: head.len, id: head.id }, HEAD);
        transaction.commit?.();
      };
      // Nobody can delete a database while this connection to it is open.
      if (!head.stored || this.#known === db) write();
      else {
        const found = rows.get(HEAD);
        found.onsuccess = () => {
          gone = found.result?.id !== head.id;
          if (gone) transaction.abort();
          else write();
        };
      }
      return () => {
        if (gone) throw makeError("Corrupt", "the database was deleted while the store was open: what was in it is gone");
        this.#known = db;
      };
    });
  }

  close() {
    this.#connection.close();
    this.#unlock();
  }
}

/** Shortens a row that reaches over the end. @param {IDBObjectStore} rows @param {number} start @param {number} keep */
function cutRow(rows, start, keep) {
  const found = rows.get(start);
  found.onsuccess = () => {
    if (found.result && found.result.byteLength > keep) rows.put(new Uint8Array(found.result).slice(0, keep), start);
  };
}

/**
 * Copies what a row at `start` has of the range at `offset`.
 * @param {Uint8Array} into
 * @param {number} offset
 * @param {number} start
 * @param {Uint8Array} bytes
 */
function place(into, offset, start, bytes) {
  const from = Math.max(0, offset - start);
  const to = Math.min(bytes.length, offset + into.length - start);
  if (from < to) into.set(bytes.subarray(from, to), start + from - offset);
}
