// The same store in Node and on the command line, and a remote that comes and goes.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { open } from "../dist/node.js";
import { folder, littoral, remote } from "./native.mjs";

test("the command line and Node change the same file in turn", async () => {
  const place = folder();
  const path = place.file("s");
  const a = await open("s", { path });
  const pointer = await a.blobs.put("from Node");
  await a.close();
  assert.equal(littoral("--store", path, "cat", pointer), "from Node");
  writeFileSync(place.file("in"), "from the command line");
  const second = littoral("--store", path, "--quiet", "put", place.file("in")).split(/\s/)[0];
  const b = await open("s", { path });
  assert.equal(await b.blobs.text(second), "from the command line");
  const copy = await b.export();
  await b.close();
  const c = await open("copy", { path: place.file("copy"), from: copy });
  assert.equal(await c.blobs.text(pointer), "from Node");
  await c.close();
  writeFileSync(place.file("exported"), Buffer.from(await copy.arrayBuffer()));
  assert.equal(littoral("--store", place.file("exported"), "cat", second), "from the command line");
  assert.ok(readFileSync(path).length > 0);
  place.remove();
});

test("what was put without the remote is there once it is back", async () => {
  const place = folder();
  let server = await remote(place.file("remote"));
  const { url, token, address } = server;
  await server.stop();
  const store = await open("n", { path: place.file("local"), remote: { url, token } });
  const pointer = await store.blobs.put("put offline");
  assert.equal(store.pending().count, 1);
  assert.ok(store.pending().oldest instanceof Date);
  await assert.rejects(store.sync({ signal: AbortSignal.timeout(200) }), { name: "TimeoutError" });
  let last;
  // Whoever only looks on does not keep the process alive.
  const alive = setInterval(() => {}, 1000);
  for await (last of store.status()) if (last.phase === "waiting") break;
  assert.equal(last.lastError.code, "Transient");
  server = await remote(place.file("remote"), address);
  clearInterval(alive);
  await store.wake();
  await store.sync();
  assert.equal(store.pending().count, 0);
  for await (const status of store.status()) {
    last = status;
    if (status.uploaded === 1) break;
  }
  assert.equal(last.uploadedBytes, "put offline".length);
  assert.equal(last.sentBytes, last.uploadedBytes);
  await store.close();
  // Another store fetches it.
  const other = await open("o", { path: place.file("other"), remote: { url, token } });
  assert.equal(await other.blobs.text(pointer), "put offline");
  await other.close();
  // Wrong credentials are told.
  const stranger = await open("w", { path: place.file("wrong"), remote: { url, token: "wrong" } });
  await stranger.blobs.put("x");
  await assert.rejects(stranger.sync(), { code: "Auth" });
  await stranger.close();
  await server.stop();
  place.remove();
});
