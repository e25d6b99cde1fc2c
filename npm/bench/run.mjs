// `node bench/run.mjs`: the package beside its peers, in each browser, one run; prints tables of operations a second.

import { build } from "esbuild";
import { BROWSERS, launch } from "../tests/browsers.mjs";
import { here, serve } from "../tests/serve.mjs";

const HTML = '<!doctype html><title>bench</title><script type="module" src="/bench/out.js"></script>';
await build({
  entryPoints: [here("bench/page.js")],
  outfile: here("build/bench/out.js"),
  bundle: true,
  format: "esm",
  external: ["/dist/*"],
  define: { global: "globalThis" },
  logLevel: "error",
});
const { writeFile } = await import("node:fs/promises");
await writeFile(here("build/bench/index.html"), HTML);
const server = await serve({ "/dist/": here("dist"), "/bench/": here("build/bench") });
const BLOBS = Number(process.env.BLOBS ?? 100_000);

for (const name of BROWSERS) {
  const browser = await launch(name);
  const page = await browser.page(`${server.url}/bench/`);
  const rows = {};
  for (const contender of await page.run(() => names)) {
    if (name === "webkit" && contender.includes("OPFS")) continue;
    try {
      rows[contender] = await page.run((contender) => measure(contender), contender);
    } catch (error) {
      rows[contender] = { error: String(error.message).split("\n")[0] };
    }
  }
  const columns = Object.keys(Object.values(rows)[0]);
  const base = rows["idb-keyval"];
  console.log(`\n${name}: operations a second (and times idb-keyval)\n`);
  console.log(`| | ${columns.join(" | ")} |\n|---|${columns.map(() => "---:|").join("")}`);
  for (const [contender, row] of Object.entries(rows)) {
    if (row.error) console.log(`| ${contender} | ${row.error} |`);
    else console.log(`| ${contender} | ${columns.map((c) => `${Math.round(row[c]).toLocaleString("en")} (${(row[c] / base[c]).toFixed(1)})`).join(" | ")} |`);
  }
  for (const backend of name === "webkit" ? ["indexeddb"] : ["opfs", "indexeddb"]) {
    const time = await page.run((backend, count) => opening(backend, count), backend, BLOBS);
    console.log(`\nopen with ${BLOBS.toLocaleString("en")} blobs, ${backend}: ${Math.round(time)} ms`);
  }
  await browser.close();
}
server.close();
