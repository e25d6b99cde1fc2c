// `littoral/react`, in a page of React, in two tabs that edit the same text.

import assert from "node:assert/strict";
import { build } from "esbuild";
import { after, before, describe, test } from "node:test";
import { createElement as h } from "react";
import { renderToString } from "react-dom/server";
import { open as openInNode } from "../dist/node.js";
import { DocProvider, useDoc } from "../dist/react.js";
import { BROWSERS, launch } from "./browsers.mjs";
import { folder } from "./native.mjs";
import { here, serve } from "./serve.mjs";

test("on a server a value is pending", async () => {
  const place = folder();
  const store = await openInNode("s", { path: place.file("s") });
  const Show = () => JSON.stringify(useDoc("a"));
  assert.equal(renderToString(h(DocProvider, { doc: store.doc }, h(Show))).replaceAll("&quot;", '"'), '{"pending":true}');
  assert.throws(() => renderToString(h(Show)), /DocProvider/);
  await store.close();
  place.remove();
});

for (const name of BROWSERS) {
  describe(name, () => {
    let server, browser;
    before(async () => {
      const outfile = here("build/react-app.js");
      await build({ entryPoints: [here("tests/react-app.mjs")], outfile, bundle: true, format: "esm", external: ["/dist/*"], define: { "process.env.NODE_ENV": '"development"' } });
      server = await serve({ "/dist/": here("dist"), "/build/": here("build"), "/": here("tests") });
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      server?.close();
    });

    test("two tabs that edit one text show the same in the end", async () => {
      const pages = [];
      for (let i = 0; i < 2; i++) {
        const page = await browser.page(`${server.url}/react.html`);
        await page.run(async (name) => start(name), "react");
        pages.push(page);
      }
      const [first, second] = pages;
      assert.deepEqual(await first.run(async () => settled()), ["nothing", "nothing", "", ""]);
      await first.run(() => type("high"));
      for (const page of pages) assert.deepEqual(await page.run(async () => settled("high")), Array(4).fill("high"));
      await second.run(() => type("low"));
      for (const page of pages) assert.deepEqual(await page.run(async () => settled("low")), Array(4).fill("low"));
      // Both at once, letter by letter, and what is typed is shown at once.
      const typing = async (text) => {
        for (let end = 1; end <= text.length; end++) {
          type(text.slice(0, end));
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        const shown = document.querySelector("input").value;
        await settled();
        return shown;
      };
      await Promise.all([first.run(typing, "the tide comes in"), second.run(typing, "the tide goes out")]);
      const last = await first.run(async () => store.doc.read("note.text"));
      assert.match(last, /^the tide (comes in|goes out)$/);
      for (const page of pages) assert.deepEqual(await page.run(async (text) => settled(text), last), Array(4).fill(last));
      // What is refused is taken back, and told.
      await second.run(async () => void (await set("never", { match: "something else" }).catch(() => {})));
      assert.deepEqual(await second.run(async () => settled(undefined)), Array(4).fill(last));
      assert.equal(await second.run(() => document.querySelector("em").textContent), "Conflict");
      // The one with the store goes.
      await first.close();
      await second.run(() => type("alone"));
      assert.deepEqual(await second.run(async () => settled("alone")), Array(4).fill("alone"));
      await second.run(async () => {
        root.unmount();
        await store.close();
      });
      await second.close();
    });
  });
}
