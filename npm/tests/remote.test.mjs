// Offline first, in real browsers, beside a real remote; and the same file on every host.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { BROWSERS, launch } from "./browsers.mjs";
import { folder, littoral, remote } from "./native.mjs";
import { here, serve } from "./serve.mjs";

for (const name of BROWSERS) {
  describe(name, () => {
    let server, browser, place;
    before(async () => {
      place = folder();
      server = await serve({ "/dist/": here("dist"), "/": here("tests") });
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      server?.close();
      place?.remove();
    });
    const open = () => browser.page(`${server.url}/page.html`);

    test("what was put without a network is there after a reload, and remote once the network is back", async () => {
      let slow = await remote(place.file("remote"));
      const { url, token, address } = slow;
      await slow.stop();
      const page = await open();
      const before = await page.run(async (remote) => {
        const store = await littoral.open("offline", { remote });
        const small = await store.blobs.put("put offline");
        const large = await store.blobs.put(new Uint8Array(5_000_000).map((_, i) => (i * i) >> 9));
        return { small, large, pending: store.pending().count, bytes: store.pending().bytes };
      }, { url, token });
      assert.equal(before.pending, 2);
      assert.equal(before.bytes, 5_000_011);
      await page.reload();
      const waiting = await page.run(async (remote) => {
        globalThis.store = await littoral.open("offline", { remote });
        for await (const status of store.status()) if (status.count === 2 && status.phase === "waiting") return status.reason.code;
      }, { url, token });
      assert.equal(waiting, "Transient");
      slow = await remote(place.file("remote"), address);
      const left = await page.run(async () => {
        await store.resume();
        await store.sync();
        const left = store.pending().count;
        await store.close();
        return left;
      });
      assert.equal(left, 0);
      // Another store that has nothing fetches it, checked.
      const fetched = await page.run(
        async (remote, { small, large }) => {
          const store = await littoral.open("empty", { remote });
          const text = await store.blobs.text(small);
          const bytes = await store.blobs.get(large);
          const range = [...(await store.blobs.range(large, 4_999_999, 6_000_000))].length;
          const none = await store.blobs.get("0".repeat(64)).catch((error) => error.code);
          await store.blobs.delete(small);
          await store.sync();
          await store.close();
          return { text, same: bytes.every((byte, i) => byte === (((i * i) >> 9) & 255)), range, none };
        },
        { url, token },
        before,
      );
      assert.deepEqual(fetched, { text: "put offline", same: true, range: 1, none: "NotFound" });
      await slow.stop();
      assert.throws(() => littoral("--store", place.file("remote"), "cat", before.small), /there is no blob/);
      await page.close();
    });

    test("a store goes from the browser to the command line and back", async () => {
      const page = await open();
      const { pointer, file } = await page.run(async () => {
        const store = await littoral.open("travels");
        const pointer = await store.blobs.put("from the browser");
        const copy = new Uint8Array(await (await store.export()).arrayBuffer());
        await store.close();
        // As text: that is how a driver carries values.
        let text = "";
        for (let at = 0; at < copy.length; at += 30_000) text += String.fromCharCode(...copy.subarray(at, at + 30_000));
        return { pointer, file: btoa(text) };
      });
      const path = place.file("travelling");
      writeFileSync(path, Buffer.from(file, "base64"));
      assert.equal(littoral("--store", path, "cat", pointer), "from the browser");
      writeFileSync(place.file("in"), "from the command line");
      const second = littoral("--store", path, "--quiet", "put", place.file("in")).split(/\s/)[0];
      const back = await serve({ "/travels/": place.path, "/dist/": here("dist"), "/": here("tests") });
      const other = await browser.page(`${back.url}/page.html`);
      const found = await other.run(
        async (pointers) => {
          const from = await (await fetch("/travels/travelling")).blob();
          const store = await littoral.open("back", { from });
          const texts = [];
          for (const pointer of pointers) texts.push(await store.blobs.text(pointer));
          const { damage } = await store.verify();
          await store.close();
          return { texts, damage };
        },
        [pointer, second],
      );
      assert.deepEqual(found, { texts: ["from the browser", "from the command line"], damage: [] });
      await other.close();
      await page.close();
      back.close();
    });
  });
}
