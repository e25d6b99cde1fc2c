// What goes wrong in browsers, done to real ones.

import assert from "node:assert/strict";
import binaryen from "binaryen";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { BROWSERS, launch, profile } from "./browsers.mjs";
import { here, serve } from "./serve.mjs";

const folders = { "/dist/": here("dist"), "/build/": here("build"), "/": here("tests") };

/** The engine with a mistake in it: a get traps, as a panic does. */
function makeTrapping() {
  const module = binaryen.readBinary(readFileSync(here("dist/core.wasm")));
  const { value } = binaryen.getExportInfo(module.getExport("engine_get"));
  binaryen.Function.setBody(module.getFunction(value), module.unreachable());
  writeFileSync(here("build/trapping.wasm"), module.emitBinary());
}
makeTrapping();
const BACKENDS = { chromium: ["opfs", "indexeddb"], firefox: ["opfs", "indexeddb"], webkit: ["indexeddb"] };
const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

for (const name of BROWSERS) {
  describe(name, () => {
    let server, browser;
    before(async () => {
      server = await serve(folders);
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      server?.close();
    });
    const open = () => browser.page(`${server.url}/page.html`);

    test("a database that is closed under the store is opened again, and nothing is lost", async () => {
      const page = await open();
      const has = await page.run(async () => {
        const store = await littoral.open("closed", { backend: "indexeddb" });
        const pointers = [];
        for (let i = 0; i < 30; i++) {
          if (i % 10 === 5) {
            // Somebody wants a newer version, and thinks better of it.
            await new Promise((resolve) => {
              const request = indexedDB.open("littoral/closed", 2);
              request.onupgradeneeded = () => request.transaction.abort();
              request.onerror = request.onsuccess = resolve;
            });
          }
          pointers.push(await store.blobs.put(`wave ${i}`));
        }
        const has = await store.blobs.has(pointers);
        await store.close();
        return has;
      });
      assert.deepEqual(has, Array(30).fill(true));
      await page.close();
    });

    test("a database that is deleted under the store is an error, and the next opening tells that it is gone", async () => {
      const page = await open();
      const found = await page.run(async () => {
        const store = await littoral.open("deleted", { backend: "indexeddb" });
        await store.blobs.put("here");
        await new Promise((resolve) => (indexedDB.deleteDatabase("littoral/deleted").onsuccess = resolve));
        const error = await store.blobs.put("and gone").catch((error) => error.code);
        await store.close().catch(() => {});
        const again = await littoral.open("deleted", { backend: "indexeddb" });
        const { lost, made } = again.storageMode;
        await again.close();
        return { error, lost, made };
      });
      assert.deepEqual(found, { error: "Poisoned", lost: true, made: true });
      await page.close();
    });

    if (BACKENDS[name].includes("opfs")) {
      test("a damaged file gives no wrong bytes", async () => {
        const page = await open();
        const found = await page.run(async () => {
          const store = await littoral.open("damaged");
          const pointers = [];
          for (let i = 0; i < 40; i++) pointers.push(await store.blobs.put(new Uint8Array(50_000).fill(i)));
          const { size } = await store.stats();
          await store.close();
          const root = await navigator.storage.getDirectory();
          const folder = await root.getDirectoryHandle("littoral");
          const writable = await (await folder.getFileHandle("damaged.littoral")).createWritable({ keepExistingData: true });
          // Behind the superblock and the logs: values and tables.
          for (let at = 8192 + 2 * (4 << 20); at < size; at += 70_001) {
            await writable.write({ type: "write", position: at, data: new Uint8Array([0xa5]) });
          }
          await writable.close();
          try {
            const again = await littoral.open("damaged");
            let right = 0;
            const codes = new Set();
            for (const [i, pointer] of pointers.entries()) {
              const got = await again.blobs.get(pointer).catch((error) => error.code);
              if (typeof got === "string") codes.add(got);
              else if (got.every((byte) => byte === i)) right++;
              else codes.add("wrong bytes");
            }
            const { damage } = await again.verify().catch((error) => ({ damage: [error.code] }));
            await again.close().catch(() => {});
            return { right: right < pointers.length, codes: [...codes], told: damage.length > 0 };
          } catch (error) {
            return { right: true, codes: [error.code], told: true };
          }
        });
        assert.deepEqual(found, { right: true, codes: ["Corrupt"], told: true });
        await page.close();
      });
    }

    test("verifying reads what is in the database, not what is kept of it", async () => {
      const page = await open();
      const found = await page.run(async () => {
        let store = await littoral.open("looked-at", { backend: "indexeddb" });
        await store.blobs.put(new Uint8Array(5000).fill(7));
        // Closing takes it out of the log.
        await store.close();
        store = await littoral.open("looked-at", { backend: "indexeddb" });
        const before = (await store.verify()).damage;
        const database = await new Promise((resolve) => {
          const request = indexedDB.open("littoral/looked-at");
          request.onsuccess = () => resolve(request.result);
        });
        let damaged = 0;
        await new Promise((done) => {
          const transaction = database.transaction("rows", "readwrite");
          transaction.oncomplete = done;
          const walk = transaction.objectStore("rows").openCursor();
          walk.onsuccess = () => {
            const cursor = walk.result;
            if (!cursor) return;
            const row = cursor.value;
            const at = row instanceof Uint8Array ? row.findIndex((byte, i) => byte === 7 && row[i + 1] === 7 && row[i + 2] === 7) : -1;
            if (at >= 0) {
              row[at] = 8;
              cursor.update(row);
              damaged++;
            }
            cursor.continue();
          };
        });
        database.close();
        const { damage } = await store.verify();
        await store.close();
        return { before, damaged: damaged > 0, damage: damage.length > 0 };
      });
      assert.deepEqual(found, { before: [], damaged: true, damage: true });
      await page.close();
    });

    test("an abort ends the waiting, and a store in memory is only made when asked for", async () => {
      const page = await open();
      const found = await page.run(async () => {
        const store = await littoral.open("memory", { backend: "memory", remote: { url: "http://localhost:1" } });
        await store.blobs.put("waits");
        const reason = await store.sync({ signal: AbortSignal.timeout(50) }).catch((error) => error.name);
        const { count } = store.pending();
        const mode = store.storageMode;
        await store.close();
        const again = await littoral.open("memory", { backend: "memory" });
        let left = 0;
        for await (const _ of again.blobs.list()) left++;
        await again.close();
        return { reason, count, backend: mode.backend, left };
      });
      assert.deepEqual(found, { reason: "TimeoutError", count: 1, backend: "memory", left: 0 });
      await page.close();
    });

    test("a tab that is frozen gives the store to another one, and takes part again when it wakes", async () => {
      const first = await open();
      const second = await open();
      const put = async (text) => {
        globalThis.store ??= await littoral.open("frozen");
        return store.blobs.put(text);
      };
      const a = await first.run(put, "before");
      await second.run(put, "from the second");
      // A driver's own way of freezing stops the worker before it can hear of it. Browsers do not freeze a page that holds
      // a lock; what they tell one that is put aside is this.
      await first.run(() => void document.dispatchEvent(new Event("freeze")));
      const b = await second.run(put, "while the first sleeps");
      await first.run(() => void document.dispatchEvent(new Event("resume")));
      const texts = await first.run(async (pointers) => Promise.all(pointers.map((pointer) => store.blobs.text(pointer))), [a, b]);
      assert.deepEqual(texts, ["before", "while the first sleeps"]);
      await first.run(async () => store.close());
      await second.run(async () => store.close());
      await first.close();
      await second.close();
    });

    test("a tab that wakes up while its store is still being closed takes part again", async () => {
      const page = await open();
      const found = await page.run(async () => {
        // There closing takes some turns of the event loop.
        const store = await littoral.open("dozing", { backend: "indexeddb" });
        const before = await store.blobs.put("before");
        const texts = [];
        for (let round = 0; round < 3; round++) {
          const running = [store.blobs.put(`round ${round}`), store.blobs.text(before)];
          for (const event of ["freeze", "resume", "freeze", "resume"]) document.dispatchEvent(new Event(event));
          const [pointer] = await Promise.all(running);
          texts.push(await store.blobs.text(pointer));
        }
        // Asleep: what is asked now is answered when the page is back.
        document.dispatchEvent(new Event("freeze"));
        const late = store.blobs.text(before);
        await new Promise((resolve) => setTimeout(resolve, 50));
        document.dispatchEvent(new Event("resume"));
        texts.push(await late);
        await store.close();
        return texts;
      });
      assert.deepEqual(found, ["round 0", "round 1", "round 2", "before"]);
      await page.close();
    });

    test("a tab that another one has not missed yet takes part again", async () => {
      const owner = await open();
      const other = await open();
      const pointer = await owner.run(async () => {
        globalThis.store = await littoral.open("napping");
        return store.blobs.put("asked again");
      });
      const texts = await other.run(async (pointer) => {
        globalThis.store = await littoral.open("napping");
        const texts = [];
        for (let round = 0; round < 20; round++) {
          const running = [store.blobs.text(pointer), store.blobs.text(pointer)];
          document.dispatchEvent(new Event("freeze"));
          // Right after the sleep, or when the owner is about to hear of it.
          for (let turn = 0; turn < round % 5; turn++) await new Promise((resolve) => setTimeout(resolve));
          document.dispatchEvent(new Event("resume"));
          texts.push(...(await Promise.all(running)));
        }
        await store.close();
        return texts;
      }, pointer);
      assert.deepEqual(texts, Array(40).fill("asked again"));
      await owner.run(async () => store.close());
      await owner.close();
      await other.close();
    });

    if (name === "chromium") {
      test("a tab that crashes hands the store over, and what the other one asked is answered", async () => {
        const first = await open();
        const second = await open();
        const before = await first.run(async () => {
          globalThis.store = await littoral.open("crashed");
          return store.blobs.put("before the crash");
        });
        const going = second.run(async () => {
          globalThis.store = await littoral.open("crashed");
          const pointers = [];
          for (let i = 0; i < 200; i++) pointers.push(await store.blobs.put(`wave ${i}`));
          return store.blobs.has(pointers);
        });
        await sleep(30);
        const driver = await first.page.createCDPSession();
        driver.send("Page.crash").catch(() => {});
        const has = await going;
        assert.ok(has.every(Boolean));
        assert.equal(await second.run(async (pointer) => store.blobs.text(pointer), before), "before the crash");
        await second.run(async () => store.close());
        await second.close();
        await first.close().catch(() => {});
      });

      test("a private window has a store for as long as it is open", async () => {
        const context = await browser.browser.createBrowserContext();
        const page = await context.newPage();
        await page.goto(`${server.url}/page.html`);
        await page.waitForFunction("globalThis.ready === true");
        const text = await page.evaluate(async () => {
          const store = await littoral.open("private");
          const text = await store.blobs.text(await store.blobs.put("in private"));
          await store.close();
          return text;
        });
        assert.equal(text, "in private");
        await context.close();
      });
    }

    test("an engine that traps ends with a typed error, and opening again recovers", async () => {
      const page = await open();
      const found = await page.run(async () => {
        const { open } = await import("/dist/slim.js");
        const store = await open("trapped", { module: "/build/trapping.wasm" });
        const pointer = await store.blobs.put("safe");
        const calls = await Promise.all([store.blobs.get(pointer), store.blobs.stat(pointer), store.blobs.get(pointer)].map((call) => call.catch((error) => error.code)));
        // By then the worker is gone.
        await new Promise((resolve) => setTimeout(resolve, 100));
        const later = await store.blobs.has([pointer]).catch((error) => [error.name, error.code]);
        const again = await littoral.open("trapped");
        const text = await again.blobs.text(pointer);
        await again.close();
        return { first: calls[0], last: calls[2], later, text };
      });
      assert.deepEqual(found, { first: "Poisoned", last: "Poisoned", later: ["LittoralError", "Poisoned"], text: "safe" });
      await page.close();
    });

    for (const backend of BACKENDS[name]) {
      test(`a browser that is killed while it writes to ${backend} has lost nothing that was acknowledged`, async () => {
        let { folder, remove } = profile();
        for (let round = 0; round < (name === "firefox" ? 1 : 2); round++) {
          const victim = await launch(name, { profile: folder });
          const page = await victim.page(`${server.url}/page.html`);
          await page.run(async (backend) => {
            const store = await littoral.open("killed", { backend });
            void (async () => {
              for (let i = 0; ; i++) {
                const bytes = crypto.getRandomValues(new Uint8Array(1000 + ((i * 7919) % 30_000)));
                console.log(`ack ${await store.blobs.put(bytes)}`);
              }
            })();
          }, backend);
          await sleep(600);
          await victim.kill();
          const acknowledged = page.log.filter((line) => line.startsWith("ack ")).map((line) => line.slice(4));
          assert.ok(acknowledged.length > 5, String(page.log.slice(0, 3)));
          const left = profile(folder);
          remove();
          ({ folder, remove } = left);
          const next = await launch(name, { profile: folder });
          const after = await next.page(`${server.url}/page.html`);
          const found = await after.run(
            async (backend, pointers) => {
              const store = await littoral.open("killed", { backend });
              const has = await store.blobs.has(pointers);
              const { damage } = await store.verify();
              await store.close();
              return { missing: has.filter((there) => !there).length, damage, made: store.storageMode.made };
            },
            backend,
            acknowledged,
          );
          assert.deepEqual(found, { missing: 0, damage: [], made: false });
          await next.close();
        }
        remove();
      });
    }

    // A tab that dies at the wrong moment can leave a database of WebKitGTK locked until the browser ends, which no page can help:
    // opening it is a time-out.
    if (name === "webkit") return;

    test("tabs come and go during writes, and every acknowledged put is there", async () => {
      const witness = await open();
      const write = (mark) => {
        void (async () => {
          globalThis.store ??= await littoral.open("busy");
          // A note that outlives the tab, and that all tabs see.
          for (let i = 0; i < 400; i++) localStorage.setItem(`ack ${mark} ${i}`, await store.blobs.put(`${mark} ${i}`));
        })();
      };
      for (let round = 0; round < 4; round++) {
        const pages = [await open(), await open()];
        for (const [i, page] of pages.entries()) await page.run(write, `${round}-${i}`);
        await sleep(250);
        // One is navigated away, the other one closed.
        await pages[round % 2].leave();
        await sleep(100);
        await pages[1 - (round % 2)].close();
        await pages[round % 2].close();
      }
      const has = await witness.run(async () => {
        const acknowledged = Object.keys(localStorage).filter((key) => key.startsWith("ack ")).map((key) => localStorage.getItem(key));
        const store = await littoral.open("busy");
        const has = await store.blobs.has(acknowledged);
        await store.close();
        return has;
      });
      assert.ok(has.length > 50, `${has.length} puts`);
      assert.ok(has.every(Boolean));
      await witness.close();
    });

    if (name !== "chromium") return;

    // Chromium lets IndexedDB write beyond a quota that is set from outside, and tells pages of 10 GiB that are left.
    for (const backend of ["opfs"]) {
      test(`a full quota in ${backend} is an error of its own, and what was there stays`, async () => {
        const page = await open();
        const session = await page.page.createCDPSession();
        await page.run(async (backend) => {
          globalThis.store = await littoral.open(`full-${backend}`, { backend });
          globalThis.first = await store.blobs.put("there before");
          globalThis.second = await store.blobs.put("to be deleted");
        }, backend);
        const { usage } = await page.run(() => navigator.storage.estimate());
        await session.send("Storage.overrideQuotaForOrigin", { origin: server.url, quotaSize: usage + (6 << 20) });
        const found = await page.run(async () => {
          let code;
          for (let i = 0; i < 40 && !code; i++) {
            const bytes = new Uint8Array(1 << 20);
            for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
            await store.blobs.put(bytes, { transfer: true }).catch((error) => (code = error.code));
          }
          return { code, text: await store.blobs.text(first), deleted: await store.blobs.delete(second) };
        });
        await session.send("Storage.overrideQuotaForOrigin", { origin: server.url });
        assert.deepEqual(found, { code: "Quota", text: "there before", deleted: true });
        const again = await page.run(async (backend) => {
          await store.close().catch(() => {});
          const again = await littoral.open(`full-${backend}`, { backend });
          const text = await again.blobs.text(first);
          await again.blobs.put("there is room again");
          const { damage } = await again.verify();
          await again.close();
          return { text, damage };
        }, backend);
        assert.deepEqual(again, { text: "there before", damage: [] });
        await page.close();
      });
    }
  });
}
