// The core's own suites of stores, from the same source, inside of each browser on what it keeps stores in.

import assert from "node:assert/strict";
import { build } from "esbuild";
import { describe, test } from "node:test";
import { BROWSERS, launch } from "./browsers.mjs";
import { here, serve } from "./serve.mjs";

await build({
  entryPoints: [here("tests/conformance-worker.js")],
  outfile: here("build/conformance/worker.js"),
  bundle: true,
  format: "esm",
  logOverride: { "duplicate-object-key": "silent" },
});

for (const name of BROWSERS) {
  describe(name, () => {
    for (const backend of name === "webkit" ? ["indexeddb"] : ["opfs", "indexeddb"]) {
      test(`the suites of stores hold on ${backend}`, async () => {
        const server = await serve({ "/dist/": here("dist"), "/build/": here("build"), "/": here("tests") });
        const browser = await launch(name);
        try {
          const page = await browser.page(`${server.url}/page.html`);
          const said = await page.run(
            (backend) =>
              new Promise((resolve) => {
                const worker = new Worker("/build/conformance/worker.js", { type: "module", name: backend });
                worker.onmessage = ({ data }) => resolve(data);
                worker.onerror = ({ message }) => resolve({ error: message });
              }),
            backend,
          );
          assert.equal(said.error, undefined);
          assert.ok(said.count > 10, `${said.count} stores`);
        } finally {
          await browser.close();
          server.close();
        }
      });
    }
  });
}
