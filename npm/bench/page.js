// Runs in the page: each contender stores and reads the same bytes.

import { IDBBlockstore } from "blockstore-idb";
import Dexie from "dexie";
import { createStore, get as keyvalGet, set as keyvalSet } from "idb-keyval";
import { CID } from "multiformats/cid";
import * as raw from "multiformats/codecs/raw";
import { sha256 } from "multiformats/hashes/sha2";
import PouchDB from "pouchdb-browser";
import { open } from "/dist/index.js";

/** Bytes that nobody has seen, so that nothing is stored twice. */
function fresh(size) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)));
  return bytes;
}

const request = (request) => new Promise((resolve, reject) => ((request.onsuccess = () => resolve(request.result)), (request.onerror = () => reject(request.error))));
const complete = (transaction) => new Promise((resolve, reject) => ((transaction.oncomplete = resolve), (transaction.onabort = () => reject(transaction.error))));

let serial = 0;

/** Each: `put(bytes)` gives what `get` takes; `putMany`, `getMany` where there is a better way than all at once. */
const contenders = {
  "littoral, OPFS": () => littoral("opfs"),
  "littoral, IndexedDB": () => littoral("indexeddb"),
  "raw IndexedDB, one transaction": () => rawIdb("bench-raw"),
  "raw IndexedDB, one put each": async () => ({ ...(await rawIdb("bench-raw-each")), putMany: undefined, getMany: undefined }),
  "idb-keyval": async () => {
    const store = createStore("bench-keyval", "keyval");
    return {
      put: async (bytes) => {
        const key = serial++;
        await keyvalSet(key, bytes, store);
        return key;
      },
      get: (key) => keyvalGet(key, store),
    };
  },
  Dexie: async () => {
    const db = new Dexie("bench-dexie");
    db.version(1).stores({ blobs: "" });
    await db.open();
    return {
      put: async (bytes) => {
        const key = serial++;
        await db.table("blobs").put(bytes, key);
        return key;
      },
      get: (key) => db.table("blobs").get(key),
    };
  },
  "blockstore-idb": async () => {
    const store = new IDBBlockstore("bench-blockstore");
    await store.open();
    return {
      put: async (bytes) => {
        const cid = CID.createV1(raw.code, await sha256.digest(bytes));
        await store.put(cid, bytes);
        return cid;
      },
      get: async (cid) => {
        const got = await store.get(cid);
        if (got instanceof Uint8Array) return got;
        for await (const piece of got) return piece;
      },
    };
  },
  "PouchDB attachments": async () => {
    const db = new PouchDB("bench-pouch");
    return {
      put: async (bytes) => {
        const _id = String(serial++);
        await db.put({ _id, _attachments: { a: { content_type: "application/octet-stream", data: new Blob([bytes]) } } });
        return _id;
      },
      get: async (id) => new Uint8Array(await (await db.getAttachment(id, "a")).arrayBuffer()),
    };
  },
};

async function littoral(backend) {
  const store = await open(`bench-${backend}-${serial++}`, { backend });
  return { put: (bytes) => store.blobs.put(bytes), get: (pointer) => store.blobs.get(pointer) };
}

async function rawIdb(name) {
  const durability = "strict";
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("blobs");
  const db = await request(opening);
  return {
    put: async (bytes) => {
      const key = serial++;
      const transaction = db.transaction("blobs", "readwrite", { durability });
      transaction.objectStore("blobs").put(bytes, key);
      await complete(transaction);
      return key;
    },
    putMany: async (all) => {
      const transaction = db.transaction("blobs", "readwrite", { durability });
      const keys = all.map((bytes) => {
        const key = serial++;
        transaction.objectStore("blobs").put(bytes, key);
        return key;
      });
      await complete(transaction);
      return keys;
    },
    get: (key) => request(db.transaction("blobs").objectStore("blobs").get(key)),
    getMany: (keys) => {
      const blobs = db.transaction("blobs").objectStore("blobs");
      return Promise.all(keys.map((key) => request(blobs.get(key))));
    },
  };
}

const many = (count, size) => Array.from({ length: count }, () => fresh(size));
const some = (keys, count) => Array.from({ length: count }, () => keys[Math.floor(Math.random() * keys.length)]);

const putMany = (it, all) => (it.putMany ? it.putMany(all) : Promise.all(all.map(it.put)));
const getMany = (it, keys) => (it.getMany ? it.getMany(keys) : Promise.all(keys.map(it.get)));

/** Each: how many operations a round has, what it works on, which is made beforehand, and the work. */
const workloads = {
  "put 4 KiB, one by one": {
    count: 50,
    make: () => many(50, 4096),
    work: async (it, all) => {
      for (const bytes of all) await it.put(bytes);
    },
  },
  "put 4 KiB, 100 at once": { count: 100, make: () => many(100, 4096), work: putMany },
  "put 64 KiB, 200 at once": { count: 200, make: () => many(200, 65_536), work: putMany },
  "get 4 KiB, one by one": {
    count: 500,
    make: (keys) => some(keys, 500),
    work: async (it, keys) => {
      for (const key of keys) if ((await it.get(key)).length !== 4096) throw new Error("other bytes");
    },
  },
  "get 4 KiB, 100 at once": {
    count: 100,
    make: (keys) => some(keys, 100),
    work: async (it, keys) => {
      for (const bytes of await getMany(it, keys)) if (bytes.length !== 4096) throw new Error("other bytes");
    },
  },
};

globalThis.contenders = Object.keys(contenders);
globalThis.workloads = Object.keys(workloads);

const started = {};

/** Makes one contender ready, with 1,000 blobs to read. */
globalThis.start = async (name) => {
  const it = await contenders[name]();
  started[name] = { it, keys: await putMany(it, many(1000, 4096)) };
};

/** One round of one contender; operations a second. */
globalThis.round = async (name, workload) => {
  const { it, keys } = started[name];
  const { count, make, work } = workloads[workload];
  const input = make(keys);
  const start = performance.now();
  await work(it, input);
  return (count / (performance.now() - start)) * 1000;
};

/** Puts so many small blobs into the store that is opened by `opening`. In steps: a driver waits for one only so long. */
globalThis.fill = async (backend, count) => {
  const store = await open(`bench-open-${backend}`, { backend });
  for (let at = 0; at < count; at += 1000) {
    await Promise.all(many(Math.min(1000, count - at), 100).map((bytes) => store.blobs.put(bytes)));
  }
  await store.close();
};

/** Milliseconds to open it, without a page's first start of the engine. */
globalThis.opening = async (backend) => {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    const store = await open(`bench-open-${backend}`, { backend });
    times.push(performance.now() - start);
    await store.close();
  }
  return times.sort((a, b) => a - b)[2];
};
globalThis.ready = true;
