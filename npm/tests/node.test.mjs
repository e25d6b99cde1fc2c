// The same store in Node, over a file.

import assert from "node:assert/strict";
import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { LittoralError, open } from "../dist/node.js";
import { folder } from "./native.mjs";
import { here } from "./serve.mjs";

test("what was put is there when the store is opened again", async () => {
  const place = folder();
  const path = place.file("a.littoral");
  const pointers = [];
  {
    const store = await open("a", { path });
    assert.deepEqual(store.storageMode, { backend: "file", why: "", lost: false, made: true });
    for (const content of ["high tide", new Uint8Array(3_000_000).fill(7), new Blob(["low", " tide"])]) {
      pointers.push(await store.blobs.put(content));
    }
    await store.roots.move("latest", undefined, pointers[0]);
    await store.close();
    await assert.rejects(store.blobs.get(pointers[0]), { name: "LittoralError", code: "Closed" });
  }
  const store = await open("a", { path });
  assert.equal(await store.blobs.text(pointers[0]), "high tide");
  assert.equal((await store.blobs.get(pointers[1])).length, 3_000_000);
  assert.equal(await store.roots.get("latest"), pointers[0]);
  const listed = [];
  for await (const blob of store.blobs.list()) listed.push(blob.pointer);
  assert.deepEqual(listed, [...pointers].sort());
  // Somebody else has it.
  await assert.rejects(open("a", { path }), (error) => error instanceof LittoralError && error.code === "Busy");
  await store.close();
  place.remove();
});

test("errors have a code, whatever went wrong", async () => {
  const place = folder();
  const store = await open("e", { path: place.file("e") });
  await assert.rejects(store.blobs.get("0".repeat(64)), { name: "LittoralError", code: "NotFound" });
  await assert.rejects(store.blobs.get("what"), { code: "InvalidInput" });
  await assert.rejects(store.blobs.put(7), { code: "InvalidInput" });
  await assert.rejects(store.roots.move("r", "0".repeat(64), "1".repeat(64)), { code: "Conflict" });
  const reason = new Error("enough");
  await assert.rejects(store.blobs.put("x", { signal: AbortSignal.abort(reason) }), reason);
  await store.close();
  writeFileSync(place.file("other"), "this is something else, and long enough to be looked at");
  await assert.rejects(open("e", { path: place.file("other") }), { code: "InvalidInput" });
  await assert.rejects(open("e", { path: place.file("none/at/all") }), { code: "NotFound" });
  await assert.rejects(open("e", { backend: "opfs" }), { code: "InvalidInput" });
  await assert.rejects(open(""), { code: "InvalidInput" });
  place.remove();
});

test("a store whose closing nobody waits for is closed all the same", async () => {
  const place = folder();
  const path = place.file("c");
  const reason = new Error("enough");
  for (const begun of [false, true]) {
    const store = await open("c", { path });
    const pointer = await store.blobs.put("kept");
    const controller = new AbortController();
    if (!begun) controller.abort(reason);
    const closing = store.close({ signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(closing, reason);
    await assert.rejects(store.blobs.get(pointer), { code: "Closed" });
    // Whoever wants to know waits again.
    await store.close();
    const again = await open("c", { path });
    assert.equal(await again.blobs.text(pointer), "kept");
    await again.close();
  }
  place.remove();
});

test("a call that was given up does not keep the process alive", () => {
  const place = folder();
  const script = `
    import { open } from ${JSON.stringify(pathToFileURL(here("dist/node.js")).href)};
    const store = await open("n", { path: ${JSON.stringify(place.file("n"))}, remote: { url: "http://127.0.0.1:9" } });
    await store.blobs.put("nobody takes it");
    await store.sync({ signal: AbortSignal.timeout(100) }).catch((error) => console.log(error.name));`;
  const said = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8", timeout: 20_000 });
  assert.equal(said.trim(), "TimeoutError");
  place.remove();
});

test("what is put may be changed as soon as the call was made", async () => {
  const place = folder();
  const store = await open("c", { path: place.file("c") });
  const bytes = new Uint8Array(5000).fill(7);
  const put = store.blobs.put(bytes);
  bytes.fill(8);
  assert.deepEqual(await store.blobs.get(await put), new Uint8Array(5000).fill(7));
  await store.blobs.put(bytes, { transfer: true });
  assert.equal(bytes.length, 0);
  await store.close();
  place.remove();
});

test("a process that is killed while it writes has lost nothing that was acknowledged", async () => {
  const place = folder();
  for (let round = 0; round < 5; round++) {
    const child = fork(here("tests/writer.mjs"), [place.file("k")], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const acknowledged = [];
    child.on("message", (pointer) => acknowledged.push(pointer));
    await once(child, "message");
    await new Promise((resolve) => setTimeout(resolve, 40 + round * 23));
    child.kill("SIGKILL");
    await once(child, "exit");
    const store = await open("k", { path: place.file("k") });
    assert.ok(acknowledged.length > 0);
    assert.ok((await store.blobs.has(acknowledged)).every(Boolean));
    assert.deepEqual((await store.verify()).damage, []);
    await store.close();
  }
  place.remove();
});
