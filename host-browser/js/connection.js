// @ts-check
// A connection to a database that comes back when it is lost.
//
// A browser may close it for good (`close`), ask for it to be closed (`versionchange`), or let it die so that only the next
// transaction tells (`InvalidStateError`; "connection lost" in WebKit). A transaction that did not complete for such a
// reason is run again on a new connection: what it does is the same however often it is done.

import { makeError } from "./error.js";

const ATTEMPTS = 7;
const FIRST_PAUSE = 20;
const PATIENCE = 10_000;

export class Connection {
  #name;
  #upgrade;
  /** @type {Promise<IDBDatabase> | undefined} */
  #opening;
  #closed = false;

  /** @param {string} name @param {(database: IDBDatabase) => void} upgrade */
  constructor(name, upgrade) {
    this.#name = name;
    this.#upgrade = upgrade;
  }

  /**
   * Runs one transaction; `work` issues its requests and returns what reads the answers once it is complete.
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(transaction: IDBTransaction) => () => T} work
   * @returns {Promise<T>}
   */
  async run(mode, work) {
    for (let attempt = 1; ; attempt++) {
      const opening = (this.#opening ??= this.#open());
      /** @type {IDBDatabase | undefined} */
      let database;
      try {
        database = await opening;
        return await once(database, mode, work);
      } catch (error) {
        if (this.#closed || !isLost(error) || attempt === ATTEMPTS) throw error;
        this.#forget(opening, database);
        await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE << attempt));
      }
    }
  }

  close() {
    this.#closed = true;
    this.#opening?.then((database) => database.close(), () => {});
    this.#opening = undefined;
  }

  /** Another one may be under way by now. @param {Promise<IDBDatabase>} opening @param {IDBDatabase} [database] */
  #forget(opening, database) {
    if (this.#opening === opening) this.#opening = undefined;
    database?.close();
  }

  #open() {
    /** @type {Promise<IDBDatabase>} */
    const opening = new Promise((resolve, reject) => {
      if (this.#closed) throw makeError("Closed", "the store was closed: open it again");
      if (typeof indexedDB === "undefined" || indexedDB === null) {
        throw makeError("NotImplemented", "there is no IndexedDB here");
      }
      const request = indexedDB.open(this.#name, 1);
      /** @type {IDBDatabase | undefined} */
      let database;
      let late = false;
      const fail = (/** @type {unknown} */ error) => {
        clearTimeout(timer);
        this.#forget(opening, database);
        reject(error);
      };
      // A browser that hangs says nothing at all.
      const timer = setTimeout(() => {
        fail(makeError("Timeout", "the browser did not open the database in time: reload the page, or restart the browser"));
        late = true;
      }, PATIENCE);
      request.onupgradeneeded = () => this.#upgrade(request.result);
      request.onerror = () => fail(request.error);
      request.onsuccess = () => {
        const opened = (database = request.result);
        opened.onclose = () => this.#forget(opening, opened);
        opened.onversionchange = () => this.#forget(opening, opened);
        // Behind a transaction of a tab that died it may hang all the same: it is open once it answers.
        once(opened, "readonly", (transaction) => (transaction.objectStore("rows").getKey("head"), () => {})).then(() => {
          clearTimeout(timer);
          resolve(opened);
        }, fail);
        // Nobody waits for it any more, and an open one would stand in the way of its deletion.
        if (late || this.#closed) opened.close();
      };
    });
    return opening;
  }
}

/**
 * @template T
 * @param {IDBDatabase} database
 * @param {IDBTransactionMode} mode
 * @param {(transaction: IDBTransaction) => () => T} work
 * @returns {Promise<T>}
 */
function once(database, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(["rows"], mode, { durability: mode === "readwrite" ? "strict" : "default" });
    let answer;
    try {
      answer = work(transaction);
      // A reader asks for nothing more: said now, the browser need not come back for it.
      if (mode === "readonly") transaction.commit?.();
    } catch (error) {
      // Otherwise the requests that were made before would be done, and only they.
      transaction.abort();
      return reject(error);
    }
    transaction.oncomplete = () => {
      try {
        resolve(answer());
      } catch (error) {
        reject(error);
      }
    };
    transaction.onabort = () => {
      try {
        // Work that aborted on purpose says why.
        if (!transaction.error) answer();
        reject(transaction.error ?? makeError("Transient", "the browser gave the transaction up"));
      } catch (error) {
        reject(error);
      }
    };
  });
}

/** Whether a new connection may help. @param {any} error */
function isLost(error) {
  return (
    error?.name === "InvalidStateError" ||
    error?.name === "AbortError" ||
    (error?.name === "UnknownError" && /connection|lost|closed/i.test(error.message)) ||
    (error?.code === "Transient" && /gave the transaction up/.test(error.message))
  );
}
