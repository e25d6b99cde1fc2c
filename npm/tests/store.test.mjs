// A store in real browsers: what was put is there, on each backend, after a reload and in other tabs.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BROWSERS, launch } from "./browsers.mjs";
import { here, serve } from "./serve.mjs";

for (const name of BROWSERS) {
  describe(name, () => {
    let server, browser;
    before(async () => {
      server = await serve({ "/dist/": here("dist"), "/": here("tests") });
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      server?.close();
    });
    const open = () => browser.page(`${server.url}/page.html`);

    // WebKitGTK has no OPFS.
    const backends = name === "webkit" ? ["indexeddb"] : ["opfs", "indexeddb"];
    for (const backend of backends) {
      test(`what was put in ${backend} is there after a reload`, async () => {
        const page = await open();
        const put = await page.run(async (backend) => {
          const store = await littoral.open(`reload-${backend}`, { backend });
          const large = new Uint8Array(3_000_000).map((_, i) => (i * i) >> 7);
          const pointers = await Promise.all(["high tide", new Blob(["low tide"]), large, new Blob([large, large]).stream(), ""].map((c) => store.blobs.put(c)));
          // No close: the page just goes.
          return pointers;
        }, backend);
        await page.reload();
        const found = await page.run(
          async (backend, pointers) => {
            const store = await littoral.open(`reload-${backend}`, { backend });
            const texts = [await store.blobs.text(pointers[0]), await store.blobs.text(pointers[1])];
            const sizes = [];
            for (const pointer of pointers) sizes.push((await store.blobs.stat(pointer)).size);
            const streamed = (await new Response(store.blobs.stream(pointers[3])).arrayBuffer()).byteLength;
            const range = [...(await store.blobs.range(pointers[2], 2_999_990, 4_000_000))].length;
            let listed = 0;
            for await (const blob of store.blobs.list()) listed += blob.size >= 0;
            const { damage } = await store.verify();
            const deleted = [await store.blobs.delete(pointers[0]), await store.blobs.delete(pointers[0])];
            const has = await store.blobs.has(pointers);
            await store.close();
            const closed = await store.blobs.get(pointers[1]).catch((error) => [error.name, error.code]);
            return { texts, sizes, streamed, range, listed, damage, deleted, has, closed, mode: store.storageMode.backend };
          },
          backend,
          put,
        );
        assert.deepEqual(found, {
          texts: ["high tide", "low tide"],
          sizes: [9, 8, 3_000_000, 6_000_000, 0],
          streamed: 6_000_000,
          range: 10,
          listed: 5,
          damage: [],
          deleted: [true, false],
          has: [false, true, true, true, true],
          closed: ["LittoralError", "Closed"],
          mode: backend,
        });
        await page.close();
      });
    }

    test("the backend is chosen by what the browser has, and told", async () => {
      const page = await open();
      const mode = await page.run(async () => {
        const store = await littoral.open("auto");
        await store.close();
        return store.storageMode;
      });
      assert.equal(mode.backend, name === "webkit" ? "indexeddb" : "opfs");
      assert.equal(mode.why === "", name !== "webkit", mode.why);
      await page.close();
    });

    test("calls of one tick are one message, whose bytes change hands, and a page is told of its room", async () => {
      const page = await open();
      const found = await page.run(async (asked) => {
        const sent = [];
        const { postMessage } = Worker.prototype;
        Worker.prototype.postMessage = function (message, ...rest) {
          if (message.calls) sent.push(message.calls.length);
          return postMessage.call(this, message, ...rest);
        };
        let store, pointer, url;
        const taken = new Uint8Array([1, 2, 3]);
        {
          store = await littoral.open("ticks");
          sent.length = 0;
          const pointers = await Promise.all([store.blobs.put(new File(["a file"], "a.txt")), store.blobs.put(taken, { transfer: true }), store.blobs.put("text")]);
          pointer = pointers[0];
          const all = await Promise.all([...pointers, ...pointers].map((pointer) => store.blobs.get(pointer)));
          // Whoever hands one on takes it from nobody else.
          structuredClone(all[0], { transfer: [all[0].buffer] });
          all[1][0] = 9;
          url = await (await fetch(await store.blobs.url(pointer))).text();
          sent.push([all[0].length, [...all[4]], new TextDecoder().decode(all[3])]);
          const { headroom } = (await store.quota()) ?? { headroom: 1 };
          // Firefox asks its user, who is not there.
          sent.push(headroom > 0, asked ? "boolean" : typeof (await store.persist()));
          // What `await using` calls.
          await store[Symbol.asyncDispose]();
        }
        Worker.prototype.postMessage = postMessage;
        const closed = await store.blobs.get(pointer).catch((error) => error.code);
        return { sent: sent.filter((n) => n !== 1), url, taken: taken.length, closed };
      }, name === "firefox");
      assert.deepEqual(found, { sent: [3, 6, [0, [1, 2, 3], "a file"], true, "boolean"], url: "a file", taken: 0, closed: "Closed" });
      await page.close();
    });

    test("a page stays awake for an answer only while they come at once, and never for long", async () => {
      const page = await open();
      const found = await page.run(async () => {
        let now = 0;
        performance.now = () => now;
        let watched = 0;
        const { port1, port2 } = new MessageChannel();
        const tasks = [];
        port1.onmessage = () => tasks.shift()();
        const scheduler = { postTask: async (work) => void (watched++, tasks.push(work), port2.postMessage(0)) };
        Object.defineProperty(globalThis, "scheduler", { value: scheduler });
        const counted = async (work) => {
          watched = 0;
          await work();
          return watched;
        };
        const rest = () => new Promise((resolve) => setTimeout(resolve, 100));
        const store = await littoral.open("vigil");
        // The clock stands still: every answer comes at once.
        const pointer = await store.blobs.put("asked for again and again");
        const atOnce = await counted(async () => {
          for (let i = 0; i < 30; i++) await store.blobs.get(pointer);
        });
        // One task may still be on its way.
        await rest();
        const after = await counted(rest);
        // An answer that takes long is the last one that is watched for.
        const late = store.blobs.get(pointer);
        await Promise.resolve();
        now = 1;
        await late;
        await rest();
        const slow = await counted(() => store.blobs.get(pointer));
        await store.close();
        return { atOnce: atOnce > 0, after, slow };
      });
      assert.deepEqual(found, { atOnce: true, after: 0, slow: 0 });
      await page.close();
    });

    test("a signal ends the waiting of every call, and a store whose closing nobody waits for is closed", async () => {
      const page = await open();
      const found = await page.run(async () => {
        const store = await littoral.open("signals");
        const pointer = await store.blobs.put("kept");
        const signal = AbortSignal.abort("enough");
        const unheard = [];
        addEventListener("unhandledrejection", ({ reason }) => unheard.push(String(reason)));
        const reasons = await Promise.all(
          [
            store.blobs.put("x", { signal }),
            store.blobs.get(pointer, { signal }),
            store.blobs.list({ signal }).next(),
            store.sync({ signal }),
            store.export({ signal }),
            store.verify({ signal }),
            store.persist({ signal }),
            store.quota({ signal }),
            store.doc.read("a", { signal }),
            store.close({ signal }),
          ].map((call) => call.then(() => "no reason", (reason) => reason)),
        );
        const closed = await store.blobs.get(pointer).catch((error) => error.code);
        await store.close();
        const again = await littoral.open("signals");
        const text = await again.blobs.text(pointer);
        await again.close();
        return { reasons: [...new Set(reasons)], closed, text, unheard };
      });
      assert.deepEqual(found, { reasons: ["enough"], closed: "Closed", text: "kept", unheard: [] });
      await page.close();
    });

    test("two tabs have one store, and the second takes over when the first goes", async () => {
      const first = await open();
      const second = await open();
      const put = (text) => [
        async (text) => {
          globalThis.store ??= await littoral.open("tabs");
          return store.blobs.put(text);
        },
        text,
      ];
      const a = await first.run(...put("from the first"));
      const b = await second.run(...put("from the second"));
      const read = async (pointer) => store.blobs.text(pointer);
      assert.equal(await second.run(read, a), "from the first");
      assert.equal(await first.run(read, b), "from the second");
      // Puts are on their way while the owner goes.
      const going = second.run(async () => {
        const pointers = [];
        for (let i = 0; i < 200; i++) pointers.push(await store.blobs.put(`wave ${i}`));
        return pointers;
      });
      await new Promise((resolve) => setTimeout(resolve, 30));
      await first.close();
      const pointers = await going;
      const has = await second.run(async (pointers) => store.blobs.has(pointers), [a, b, ...pointers]);
      assert.ok(has.every(Boolean));
      await second.run(async () => store.close());
      await second.close();
    });
  });
}
