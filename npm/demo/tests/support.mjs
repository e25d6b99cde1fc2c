// A demo of its own for each test file, and a person who uses it in Chromium.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "../../tests/browsers.mjs";
import { SITE, serveDemo } from "../scripts/serve.mjs";

const PROGRAM = process.env.LITTORAL ?? fileURLToPath(new URL("../../../target/release/littoral", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** The rules of WCAG 2.2 AA, and those that everybody agrees on. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const PATIENCE = 15_000;

/** Tests that tell one story: after one that fails, the others have nothing to go on from. */
export function chapters(test) {
  let broken = false;
  return (name, work) =>
    test(name, async (context) => {
      if (broken) return context.skip("the one before failed");
      broken = true;
      await work();
      broken = false;
    });
}

/** The page's server with its remote, a place for profiles of browsers, and an end for all of it. */
export class Scene {
  #folder = mkdtempSync(join(tmpdir(), "littoral-demo-"));
  #site = join(this.#folder, "site");
  #browsers = [];
  demo;

  constructor() {
    cpSync(SITE, this.#site, { recursive: true });
  }

  /** Puts a new version of the page in the place of the one that is served. */
  release(change) {
    const [page, worker] = ["index.html", "sw.js"].map((file) => join(this.#site, file));
    writeFileSync(page, change(readFileSync(page, "utf8")));
    const before = readFileSync(worker, "utf8");
    const after = before.replace(/(url:"index\.html",revision:")[0-9a-f]{16}/, "$1ffffffffffffffff");
    assert.notEqual(after, before);
    writeFileSync(worker, after);
  }

  /** Starts the server, or starts it again at the same place. */
  async serve() {
    const port = (url) => (url ? Number(new URL(url).port) : 0);
    this.demo = await serveDemo({
      littoral: PROGRAM,
      store: join(this.#folder, "remote.littoral"),
      site: this.#site,
      port: port(this.demo?.url),
      remotePort: port(this.demo?.remote.url),
    });
  }

  /** A browser with the profile of this name: one person, one device. */
  async browser(name) {
    const browser = await launch("chromium", { profile: join(this.#folder, name) });
    this.#browsers.push(browser);
    return browser;
  }

  /** The page in a tab, once it is ready. */
  async open(browser, { width = 1280, height = 900, scale = 1, dark = false } = {}) {
    const page = await browser.browser.newPage();
    page.troubles = [];
    page.on("pageerror", (error) => page.troubles.push(String(error)));
    await page.setViewport({ width, height, deviceScaleFactor: scale });
    page.colours = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }];
    await page.emulateMediaFeatures(page.colours);
    await page.goto(this.demo.url);
    await ready(page);
    return page;
  }

  /** What the remote has, by pointer. */
  async remote() {
    const { blobs } = await (await fetch(`${this.demo.remote.url}/v1/blobs?limit=1000`)).json();
    return new Map(blobs.map(({ pointer, size }) => [pointer, size]));
  }

  async end() {
    for (const browser of this.#browsers) await browser.close().catch(() => {});
    await this.demo?.close().catch(() => {});
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export async function ready(page) {
  await page.waitForFunction(() => document.documentElement.dataset.ready === "yes", { timeout: PATIENCE });
}

export async function reload(page) {
  await page.reload();
  await ready(page);
}

/** The names on the shelf and where each file is: `{ "notes.md": "both" }`. */
export function shelf(page) {
  return page.evaluate(() => {
    const files = [...document.querySelectorAll("#files .file")];
    return Object.fromEntries(files.map((file) => [file.querySelector(".name").textContent, file.querySelector(".place").dataset.place]));
  });
}

/** Waits until the shelf is exactly so. */
export async function untilShelf(page, wanted) {
  const text = JSON.stringify(Object.entries(wanted).sort());
  await page
    .waitForFunction(
      (text) => {
        const files = [...document.querySelectorAll("#files .file")].map((file) => [
          file.querySelector(".name").textContent,
          file.querySelector(".place").dataset.place,
        ]);
        return JSON.stringify(files.sort()) === text;
      },
      { timeout: PATIENCE },
      text,
    )
    .catch(async () => assert.deepEqual(await shelf(page), wanted));
}

/** Waits until an element says so. */
export async function untilText(page, selector, wanted) {
  await page
    .waitForFunction((selector, wanted) => document.querySelector(selector)?.textContent.includes(wanted), { timeout: PATIENCE }, selector, wanted)
    .catch(async () => assert.equal(await page.$eval(selector, (element) => element.textContent), wanted));
}

/** Drops files on the page, as a mouse does: `{ "notes.md": "text" }`. */
export function drop(page, files) {
  return page.evaluate((files) => {
    const dataTransfer = new DataTransfer();
    for (const [name, text] of Object.entries(files)) dataTransfer.items.add(new File([text], name, { type: "text/plain" }));
    for (const type of ["dragenter", "dragover", "drop"]) {
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    }
  }, files);
}

/** What the dialog shows of a file. */
export async function read(page, name) {
  await page.evaluate((name) => {
    [...document.querySelectorAll("#files .file")].find((file) => file.querySelector(".name").textContent === name).click();
  }, name);
  await page.waitForFunction(() => document.querySelector("#preview .stage:not([aria-busy])"), { timeout: PATIENCE });
  const text = await page.$eval("#preview .stage", (stage) => stage.textContent);
  await page.keyboard.press("Escape");
  return text;
}

/** Fails where axe finds something that keeps people out. */
export async function accessible(page, what) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async (RULES) => {
    // What moves is judged where it ends.
    for (const animation of document.getAnimations()) if (animation.effect.getComputedTiming().endTime !== Infinity) animation.finish();
    const { violations } = await axe.run(document, { runOnly: RULES });
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(" | ")}`);
  }, RULES);
  assert.deepEqual(found, [], what);
}
