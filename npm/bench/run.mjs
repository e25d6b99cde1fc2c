// `node bench/run.mjs`: the package beside its peers, in each browser, one run; prints tables of operations a second.

import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";
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
await writeFile(here("build/bench/index.html"), HTML);
const server = await serve({ "/dist/": here("dist"), "/bench/": here("build/bench") });
const BLOBS = Number(process.env.BLOBS ?? 100_000);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
/** Only contenders, and only workloads, whose names begin with one of these; all when left out. */
const ONLY = process.env.ONLY?.split(",");
const WORK = process.env.WORK?.split(",");
const BASE = "idb-keyval";
/** WebKitGTK has no OPFS, and PouchDB has not stored the first 1,000 blobs there after two minutes. */
const LEFT_OUT = { webkit: ["OPFS", "PouchDB"] };

/** What must be reached in Chromium: the contender, the workload, how many times whom. */
const GOALS = [
  ["littoral, OPFS", "put 4 KiB, 100 at once", 10, "idb-keyval"],
  ["littoral, IndexedDB", "put 4 KiB, 100 at once", 5, "idb-keyval"],
  ["littoral, OPFS", "get 4 KiB, one by one", 3, "raw IndexedDB, one put each"],
  ["littoral, OPFS", "get 4 KiB, 100 at once", 5, "raw IndexedDB, one transaction"],
];
/** Milliseconds that opening may take. */
const OPENING = 200;

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const shuffled = (list) => list.map((item) => [Math.random(), item]).sort(([a], [b]) => a - b).map(([, item]) => item);

/** Everybody does the same in each round, in an order that is drawn anew; what is compared is the median of the ratios within rounds. */
async function compare(page, names) {
  const table = {};
  for (const workload of await page.run(() => workloads)) {
    if (WORK && !WORK.some((name) => workload.startsWith(name))) continue;
    console.error(workload);
    const rounds = [];
    for (let i = 0; i <= ROUNDS; i++) {
      const round = {};
      for (const name of shuffled(names)) round[name] = await page.run((name, workload) => globalThis.round(name, workload), name, workload);
      // The first one warms up.
      if (i > 0) rounds.push(round);
    }
    table[workload] = Object.fromEntries(names.map((name) => [name, rounds.map((round) => round[name])]));
  }
  return table;
}

const count = (n) => Math.round(n).toLocaleString("en");

/** How many times one is as fast as another: the median of what it is round by round. */
const times = (rates, others) => others && median(rates.map((rate, round) => rate / others[round]));

/** One browser's rates, as a table of Markdown. */
function markdown({ table, opening, version }) {
  const workloads = Object.keys(table);
  const names = Object.keys(table[workloads[0]]);
  const lines = [`| ${version} | ${workloads.join(" | ")} |`, `|---|${workloads.map(() => "---:|").join("")}`];
  for (const name of names) {
    const cells = workloads.map((workload) => `${count(median(table[workload][name]))} (${times(table[workload][name], table[workload][BASE])?.toFixed(1) ?? "-"})`);
    lines.push(`| ${name} | ${cells.join(" | ")} |`);
  }
  const opened = Object.entries(opening).map(([backend, { time, blobs }]) => `${Math.round(time)} ms (${backend}, ${count(blobs)} blobs)`);
  const rounds = table[workloads[0]][names[0]].length;
  return `${lines.join("\n")}\n\n${rounds} rounds.${opened.length > 0 ? ` Opening a store, with the start of its worker: ${opened.join(", ")}.` : ""}\n`;
}

/** What was asked, and whether it was reached, as a table of Markdown. */
function reached({ table, opening }) {
  const lines = ["| | asked | measured | reached |", "|---|---:|---:|---:|"];
  const line = (what, asked, measured, yes) => lines.push(`| ${what} | ${asked} | ${measured} | ${yes ? "yes" : "**no**"} |`);
  for (const [name, workload, asked, than] of GOALS) {
    const found = times(table[workload]?.[name] ?? [], table[workload]?.[than]);
    if (found !== undefined) line(`${name}: ${workload}`, `at least ${asked} x ${than}`, `${found.toFixed(1)} x`, found >= asked);
  }
  for (const [backend, { time, blobs }] of Object.entries(opening)) {
    line(`littoral, ${backend}: opening a store of ${count(blobs)} blobs`, `under ${OPENING} ms`, `${Math.round(time)} ms`, time < OPENING);
  }
  return `${lines.join("\n")}\n`;
}

const RESULTS = here("bench/results.json");

/** Puts the tables of the last full run where they are read. */
async function write() {
  const results = JSON.parse(await readFile(RESULTS, "utf8"));
  const { chromium } = results;
  const all = Object.values(results).map(markdown).join("\n");
  const tables = { [here("../docs/benchmarks.md")]: `${chromium ? `What it must reach, in Chromium:\n\n${reached(chromium)}\n` : ""}${all}`, [here("README.md")]: markdown(chromium) };
  for (const [file, text] of Object.entries(tables)) {
    const [begin, end] = ["<!-- browsers:begin -->", "<!-- browsers:end -->"];
    const [before, after] = [(await readFile(file, "utf8")).split(begin), end];
    const rest = before[1]?.split(after)[1];
    if (rest === undefined) throw new Error(`${file} has no place between ${begin} and ${end}`);
    await writeFile(file, `${before[0]}${begin}\n${text}${end}${rest}`);
  }
}

const results = JSON.parse(await readFile(RESULTS, "utf8").catch(() => "{}"));
for (const name of BROWSERS) {
  const browser = await launch(name);
  const page = await browser.page(`${server.url}/bench/`);
  const names = [];
  for (const contender of await page.run(() => contenders)) {
    if (LEFT_OUT[name]?.some((part) => contender.includes(part))) continue;
    if (ONLY && !ONLY.some((only) => contender.startsWith(only))) continue;
    try {
      await page.run((contender) => start(contender), contender);
      names.push(contender);
    } catch (error) {
      console.log(`${contender} does not start in ${name}: ${String(error.message).split("\n")[0]}`);
    }
  }
  const result = { version: await browser.version(), table: await compare(page, names), opening: {} };
  const opener = await browser.page(`${server.url}/bench/`);
  for (const backend of BLOBS === 0 ? [] : name === "webkit" ? ["indexeddb"] : ["opfs", "indexeddb"]) {
    for (let step = 0; step < 10; step++) await opener.run((backend, count) => fill(backend, count), backend, BLOBS / 10);
    const time = await opener.run((backend) => opening(backend), backend);
    result.opening[backend] = { time, blobs: BLOBS };
  }
  console.log(`\n${name}: operations a second (and times ${BASE})\n\n${markdown(result)}\n${name === "chromium" ? reached(result) : ""}`);
  results[name] = result;
  await browser.close();
}
server.close();
if (!ONLY && !WORK) {
  await writeFile(RESULTS, `${JSON.stringify(results, undefined, 1)}\n`);
  await write();
}
