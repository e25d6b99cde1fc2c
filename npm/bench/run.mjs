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
const ROUNDS = Number(process.env.ROUNDS ?? 11);
/** Only contenders whose names begin with one of these; all when left out. */
const ONLY = process.env.ONLY?.split(",");
const BASE = "idb-keyval";

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const shuffled = (list) => list.map((item) => [Math.random(), item]).sort(([a], [b]) => a - b).map(([, item]) => item);

/** Everybody does the same in each round, in an order that is drawn anew; what is compared is the median of the ratios within rounds. */
async function compare(page, names) {
  const table = {};
  for (const workload of await page.run(() => workloads)) {
    const rounds = [];
    for (let i = 0; i <= ROUNDS; i++) {
      const round = {};
      for (const name of shuffled(names)) round[name] = await page.run((name, workload) => globalThis.round(name, workload), name, workload);
      // The first one warms up.
      if (i > 0) rounds.push(round);
    }
    table[workload] = Object.fromEntries(
      names.map((name) => [name, { rate: median(rounds.map((r) => r[name])), times: median(rounds.map((r) => r[name] / r[BASE])) }]),
    );
  }
  return table;
}

for (const name of BROWSERS) {
  const browser = await launch(name);
  const page = await browser.page(`${server.url}/bench/`);
  const names = (await page.run(() => contenders)).filter(
    (contender) => !(name === "webkit" && contender.includes("OPFS")) && (ONLY?.some((only) => contender.startsWith(only)) ?? true),
  );
  for (const contender of names) await page.run((contender) => start(contender), contender);
  const table = await compare(page, names);
  const workloads = Object.keys(table);
  console.log(`\n${name}: operations a second (and times ${BASE}), ${ROUNDS} rounds\n`);
  console.log(`| | ${workloads.join(" | ")} |\n|---|${workloads.map(() => "---:|").join("")}`);
  const cell = ({ rate, times }) => `${Math.round(rate).toLocaleString("en")} (${times.toFixed(1)})`;
  for (const contender of names) console.log(`| ${contender} | ${workloads.map((workload) => cell(table[workload][contender])).join(" | ")} |`);
  if (BLOBS === 0) {
    await browser.close();
    continue;
  }
  for (const backend of name === "webkit" ? ["indexeddb"] : ["opfs", "indexeddb"]) {
    const time = await page.run((backend, count) => opening(backend, count), backend, BLOBS);
    console.log(`\nopen with ${BLOBS.toLocaleString("en")} blobs, ${backend}: ${Math.round(time)} ms`);
  }
  await browser.close();
}
server.close();
