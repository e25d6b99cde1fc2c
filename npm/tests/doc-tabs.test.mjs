// One document in several tabs, which come, contend and go.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { BROWSERS, launch } from "./browsers.mjs";
import { folder, littoral } from "./native.mjs";
import { here, serve } from "./serve.mjs";

const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

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
    const openStore = async (store) => {
      const page = await open();
      await page.run(async (name) => void (globalThis.store = await littoral.open(name)), store);
      return page;
    };
    const close = async (...pages) => {
      for (const page of pages) {
        await page.run(async () => store.close());
        await page.close();
      }
    };

    test("values come back as they were, and the command line opens the same document", async () => {
      const page = await openStore("doc-values");
      const { seen, file } = await page.run(async () => {
        const { doc } = store;
        const value = { null: null, yes: true, int: -7, big: 2n ** 62n, float: 1.5, text: "潮 🌊", bytes: new Uint8Array([1, 2, 255]), link: littoral.link("ab".repeat(32)), list: [1, [2]] };
        await doc.set("", value);
        await doc.set("sparse{9}", "nine");
        const found = await doc.read("");
        const seen = Object.entries(found).map(([key, value]) => [key, Object.prototype.toString.call(value), typeof value === "bigint" ? String(value) : JSON.stringify(value instanceof Uint8Array ? [...value] : value)].join(" "));
        const copy = new Uint8Array(await (await store.export()).arrayBuffer());
        let file = "";
        for (let at = 0; at < copy.length; at += 32_768) file += String.fromCharCode(...copy.subarray(at, at + 32_768));
        return { seen, file: btoa(file) };
      });
      assert.deepEqual(seen.sort(), [
        "big [object BigInt] 4611686018427387904",
        "bytes [object Uint8Array] [1,2,255]",
        "float [object Number] 1.5",
        "int [object Number] -7",
        `link [object Object] {"/":"${"ab".repeat(32)}"}`,
        "list [object Array] [1,[2]]",
        "null [object Null] null",
        'sparse [object Object] {"9":"nine"}',
        'text [object String] "潮 🌊"',
        "yes [object Boolean] true",
      ]);
      const place = folder();
      writeFileSync(place.file("exported"), Buffer.from(file, "base64"));
      const get = (path) => littoral("--store", place.file("exported"), "doc", "get", path);
      assert.equal(get("big"), "4611686018427387904");
      assert.equal(get("sparse{9}"), '"nine"');
      assert.equal(get("bytes"), '{"/":{"bytes":"AQL/"}}');
      place.remove();
      await close(page);
    });

    test("of those who ask for the same state, exactly one finds it", async () => {
      const ROUNDS = 25;
      const pages = [await openStore("doc-contend"), await openStore("doc-contend"), await openStore("doc-contend")];
      await pages[0].run(async () => store.doc.set("", { n: 0, winners: [] }));
      const contend = async (me, rounds) => {
        const { doc } = store;
        let won = 0;
        for (let round = 0; round < rounds; round++) {
          const ops = [{ op: "set", path: "n", value: round + 1 }, { op: "append", path: "winners", values: [me] }];
          await doc.patch("", { ops }, { match: { n: round } }).then(
            () => won++,
            (error) => {
              if (error.code !== "Conflict") throw error;
            },
          );
        }
        return won;
      };
      const won = await Promise.all(pages.map((page, me) => page.run(contend, me, ROUNDS)));
      const { n, winners } = await pages[0].run(async () => store.doc.read(""));
      assert.equal(n, ROUNDS);
      assert.deepEqual(won, [0, 1, 2].map((me) => winners.filter((winner) => winner === me).length));
      assert.equal(won.reduce((sum, wins) => sum + wins), ROUNDS);
      await close(...pages);
    });

    test("the owner goes in mid-patch: every acknowledged change is there, none twice, and a watch has no gap", async () => {
      const witness = await openStore("doc-killed");
      let owner = witness;
      // Whoever came first has the store: it is the one that goes.
      const last = await openStore("doc-killed");
      const ROUNDS = name === "webkit" ? 2 : 4;
      const pages = [];
      for (let round = 0; round < ROUNDS; round++) pages.push(await openStore("doc-killed"));
      await last.run(async () => {
        globalThis.told = [];
        void (async () => {
          for await (const { event, commit, missed } of store.doc.watch("n")) told.push([event, commit, missed]);
        })().catch((error) => told.push([error.code]));
        globalThis.acknowledged = [];
        globalThis.running = true;
        const lane = async (lane) => {
          for (let i = 0; running; i++) {
            const id = `${lane}-${i}`;
            await store.doc.patch("", { ops: [{ op: "increment", path: "n", by: 1 }, { op: "append", path: "list", values: [id] }] });
            acknowledged.push(id);
          }
        };
        globalThis.lanes = Promise.all([0, 1, 2, 3, 4, 5].map(lane));
        lanes.catch(() => {});
      });
      for (const next of pages) {
        await sleep(150);
        await owner.close();
        owner = next;
      }
      await sleep(150);
      const found = await last.run(async () => {
        running = false;
        await lanes;
        const { n, list } = await store.doc.read("");
        while (told.at(-1)[1] < n) await new Promise((resolve) => setTimeout(resolve, 10));
        const twice = list.length - new Set(list).size;
        const missing = acknowledged.filter((id) => !list.includes(id)).length;
        const commits = told.slice(1).map(([, commit]) => commit);
        const gaps = commits.filter((commit, i) => commit !== told[0][1] + i + 1).length;
        return { n, length: list.length, acknowledged: acknowledged.length, twice, missing, gaps, states: told.filter(([event]) => event === "state").length };
      });
      assert.ok(found.acknowledged > 20, JSON.stringify(found));
      assert.deepEqual(found, { ...found, length: found.n, acknowledged: found.n, twice: 0, missing: 0, gaps: 0, states: 1 });
      await owner.close();
      await close(last);
    });

    test("a tab that is put to sleep in mid-patch has changed everything once", async () => {
      const first = await openStore("doc-frozen");
      const second = await openStore("doc-frozen");
      await first.run(async () => {
        const ops = (id) => ({ ops: [{ op: "append", path: "list", values: [id] }] });
        const count = async () => {
          for (let round = 0; round < 6; round++) {
            const patches = Array.from({ length: 8 }, (_, i) => store.doc.patch("", ops(round * 8 + i)));
            if (round % 2 === 1) {
              await new Promise((resolve) => setTimeout(resolve, 3));
              document.dispatchEvent(new Event("freeze"));
              await new Promise((resolve) => setTimeout(resolve, 30));
              document.dispatchEvent(new Event("resume"));
            }
            await Promise.all(patches);
          }
        };
        // WebKit's driver does one thing at a time: what waits, waits in the page.
        globalThis.counted = count();
      });
      await second.run(async () => {
        for (let i = 0; i < 20; i++) await store.doc.patch("", { ops: [{ op: "append", path: "list", values: [1000 + i] }] });
      });
      await first.run(async () => counted);
      const list = await second.run(async () => store.doc.read("list"));
      assert.deepEqual([...list].sort((a, b) => a - b), [...Array(48).keys(), ...Array.from({ length: 20 }, (_, i) => 1000 + i)]);
      await close(first, second);
    });

    test("participants of a transaction are in several tabs, and the one with the store may go", async () => {
      const [owner, second, third] = [await openStore("doc-joined"), await openStore("doc-joined"), await openStore("doc-joined")];
      const id = await owner.run(async () => {
        await store.doc.set("", { ann: 5, bo: 0 });
        return (await store.doc.begin(2, { meta: "rent" })).id;
      });
      // WebKit's driver does one thing at a time: what waits, waits in the page.
      const join = async (id, path, by) => void (globalThis.joined = store.doc.transaction(id).join(path, { ops: [{ op: "increment", path: "", by }] }, { match: { $ge: 0 } }));
      const outcome = async () => joined;
      await second.run(join, id, "ann", -3);
      await third.run(async (id) => {
        while ((await store.doc.transaction(id).look()).joined === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }, id);
      await owner.close();
      await third.run(join, id, "bo", 3);
      const bo = await third.run(outcome);
      assert.deepEqual(bo, { committed: true, matched: true, commit: 2, value: 3 });
      assert.deepEqual(await second.run(outcome), { ...bo, value: 2 });
      await close(third, second);
    });
  });
}
