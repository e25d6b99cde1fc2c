// Faults that no driver can be asked for, put into the worker: in every browser.

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { BROWSERS, launch } from "./browsers.mjs";
import { here, serve } from "./serve.mjs";

/** The package with another worker in front of its own. */
function makeFaulty() {
  mkdirSync(here("build/faulty"), { recursive: true });
  for (const file of ["index.js", "core.wasm"]) copyFileSync(here(`dist/${file}`), here(`build/faulty/${file}`));
  const worker = ["tests/faulty.js", "dist/worker.js"].map((file) => readFileSync(here(file), "utf8"));
  // Each with names of its own.
  writeFileSync(here("build/faulty/worker.js"), worker.map((code) => `{\n${code}\n}\n`).join(""));
}
makeFaulty();

for (const name of BROWSERS) {
  describe(name, () => {
    let server, browser;
    before(async () => {
      server = await serve({ "/faulty/": here("build/faulty"), "/dist/": here("dist"), "/": here("tests") });
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      server?.close();
    });

    /** A page with `littoral`, `faulty`, and `fault({ ... })`, which resolves once every faulty worker has taken it. */
    async function open() {
      const page = await browser.page(`${server.url}/page.html`);
      await page.run(async () => {
        globalThis.faulty = await import("/faulty/index.js");
        globalThis.fault = (what) =>
          new Promise((resolve) => {
            const done = new BroadcastChannel("faults-done");
            done.onmessage = () => (done.close(), resolve());
            new BroadcastChannel("faults").postMessage(what);
          });
      });
      return page;
    }

    test("a database that never opens, or that opens and never answers, is a time-out", async () => {
      const page = await open();
      const found = await page.run(async () => {
        const failed = (name) => faulty.open(name, { backend: "indexeddb" }).catch((error) => [error.name, error.code]);
        const stores = await Promise.all([failed("hangs"), failed("is mute")]);
        // It was the browser, not the store: another one opens.
        const other = await faulty.open("opens", { backend: "indexeddb" });
        await other.close();
        return stores;
      });
      assert.deepEqual(found, [["LittoralError", "Timeout"], ["LittoralError", "Timeout"]]);
      await page.close();
    });

    test("a connection to the database that dies unheard is made anew, for reads and for writes", async () => {
      const page = await open();
      const found = await page.run(async () => {
        let store = await faulty.open("dies", { backend: "indexeddb" });
        const before = await store.blobs.put("before");
        // What was just written would be read from memory.
        await store.close();
        store = await faulty.open("dies", { backend: "indexeddb" });
        await fault({ lost: 2 });
        const read = await store.blobs.text(before);
        await fault({ lost: 2 });
        const after = await store.blobs.put("after");
        const has = await store.blobs.has([before, after]);
        const { damage } = await store.verify();
        await store.close();
        return { read, has, damage };
      });
      assert.deepEqual(found, { read: "before", has: [true, true], damage: [] });
      await page.close();
    });

    test("a commit to IndexedDB that finds no room loses nothing, and the store goes on after it was opened again", async () => {
      const page = await open();
      const found = await page.run(async () => {
        const store = await faulty.open("full", { backend: "indexeddb" });
        const before = await store.blobs.put("there before");
        await fault({ full: true });
        const error = await store.blobs.put("one too many").catch(({ code, cause }) => [code, cause?.code]);
        const read = await store.blobs.text(before);
        await fault({ full: false });
        await store.close().catch(() => {});
        const again = await faulty.open("full", { backend: "indexeddb" });
        const text = await again.blobs.text(before);
        const after = await again.blobs.put("there is room again");
        const deleted = await again.blobs.delete(before);
        const has = await again.blobs.has([before, after]);
        const { damage } = await again.verify();
        await again.close();
        return { error, read, text, deleted, has, damage };
      });
      assert.deepEqual(found, {
        error: ["Poisoned", "Quota"],
        read: "there before",
        text: "there before",
        deleted: true,
        has: [false, true],
        damage: [],
      });
      await page.close();
    });

    test("a browser that has no room left for IndexedDB is `Quota` before anything is written, and the store goes on", async () => {
      const page = await open();
      const found = await page.run(async () => {
        const store = await faulty.open("left", { backend: "indexeddb" });
        const before = await store.blobs.put("there before");
        // What the browser said at the opening is not taken for true without asking again any more.
        await new Promise((resolve) => setTimeout(resolve, 1100));
        await fault({ left: 1 << 20 });
        const codes = new Set();
        for (let i = 0; i < 12; i++) await store.blobs.put(new Uint8Array(900_000).fill(i)).catch((error) => codes.add(error.code));
        const text = await store.blobs.text(before);
        const deleted = await store.blobs.delete(before);
        await fault({ left: undefined });
        const after = await store.blobs.put(new Uint8Array(900_000).fill(255));
        const has = await store.blobs.has([before, after]);
        const { damage } = await store.verify();
        await store.close();
        return { codes: [...codes], text, deleted, has, damage };
      });
      assert.deepEqual(found, { codes: ["Quota"], text: "there before", deleted: true, has: [false, true], damage: [] });
      await page.close();
    });

    // WebKitGTK has no OPFS.
    if (name !== "webkit") {
      test("a file that cannot become longer is `Quota`, and the store goes on", async () => {
        const page = await open();
        const found = await page.run(async () => {
          const store = await faulty.open("full", { backend: "opfs" });
          const before = await store.blobs.put("there before");
          await fault({ full: true });
          let code;
          for (let i = 0; i < 60 && !code; i++) {
            await store.blobs.put(crypto.getRandomValues(new Uint8Array(60_000)).slice(i)).catch((error) => (code = error.code));
            await store.blobs.put(new Uint8Array(900_000).fill(i)).catch((error) => (code = error.code));
          }
          // It is full, and neither broken nor closed: what is there is read, and goes.
          const text = await store.blobs.text(before);
          const deleted = await store.blobs.delete(before);
          await fault({ full: false });
          const after = await store.blobs.put(new Uint8Array(900_000).fill(255));
          const has = await store.blobs.has([before, after]);
          const { damage } = await store.verify();
          await store.close();
          return { code, text, deleted, has, damage };
        });
        assert.deepEqual(found, { code: "Quota", text: "there before", deleted: true, has: [false, true], damage: [] });
        await page.close();
      });
    }

    test("a call that was done, and whose answer was lost with its tab, is answered by the next owner", async () => {
      const owner = await open();
      const other = await open();
      await owner.run(async () => {
        globalThis.store = await faulty.open("mute");
      });
      const found = await other.run(async () => {
        globalThis.store = await littoral.open("mute");
        const [a, b] = [await store.blobs.put("a"), await store.blobs.put("b")];
        await store.roots.move("latest", undefined, a);
        await fault({ mute: true });
        // The owner moves it, and is gone.
        const moved = await store.roots.move("latest", a, b).then(
          () => "moved",
          (error) => error.code,
        );
        const at = await store.roots.get("latest");
        await store.close();
        return { moved, at: at === b };
      });
      assert.deepEqual(found, { moved: "moved", at: true });
      await owner.close();
      await other.close();
    });

    test("a tab that hangs is a time-out for the others, which go on when it does", async () => {
      const owner = await open();
      const other = await open();
      await owner.run(async () => {
        globalThis.store = await faulty.open("stuck");
      });
      const found = await other.run(async () => {
        const store = await littoral.open("stuck");
        const before = await store.blobs.put("before");
        await fault({ stuck: 20_000 });
        const started = Date.now();
        const get = await store.blobs.text(before).catch((error) => [error.name, error.code]);
        const late = await littoral.open("stuck").catch((error) => error.code);
        const waited = Date.now() - started;
        for (;;) {
          const text = await store.blobs.text(before).catch((error) => error.code);
          if (text === "Timeout") continue;
          await store.close();
          return { get, late: typeof late === "string" ? late : "opened", text, slow: waited > 60_000 };
        }
      });
      // By the time of the second one the first tab may have come back.
      assert.ok(["Timeout", "opened"].includes(found.late), found.late);
      assert.deepEqual({ ...found, late: "" }, { get: ["LittoralError", "Timeout"], late: "", text: "before", slow: false });
      await owner.close();
      await other.close();
    });

    test("what another script sends over the store's channels is left alone", async () => {
      const owner = await open();
      const other = await open();
      await owner.run(async () => {
        globalThis.store = await littoral.open("noise");
      });
      const text = await other.run(async () => {
        const store = await littoral.open("noise");
        const id = new Promise((resolve) => {
          const hall = new BroadcastChannel("littoral:noise");
          hall.onmessage = ({ data }) => resolve(data.who);
        });
        const pointer = await store.blobs.put("in spite of noise");
        const hall = new BroadcastChannel("littoral:noise");
        for (const noise of [null, 7, "who", [], {}, { who: 7 }, { who: {} }, { owner: true }, { opening: [] }]) hall.postMessage(noise);
        // A new tab says its name in the hall.
        const third = await littoral.open("noise");
        const channel = new BroadcastChannel(`littoral:noise:${await id}`);
        const rubbish = [null, 7, {}, { from: 7 }, { to: 7 }, { calls: 7 }, { answers: {} }, { answers: [7, null, [1], {}] }, { calls: [null, [1], [1, "get"]], cancelled: "x" }, { news: 7 }, { welcome: 7 }];
        for (const noise of rubbish) channel.postMessage(noise);
        const text = await third.blobs.text(pointer);
        await third.close();
        await store.close();
        return text;
      });
      assert.equal(text, "in spite of noise");
      assert.equal(await owner.run(async () => (await store.blobs.put("still here")).length), 64);
      await owner.run(async () => store.close());
      await owner.close();
      await other.close();
    });
  });
}
