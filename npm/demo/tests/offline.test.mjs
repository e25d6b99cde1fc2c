// The story that the page is there to tell, in real Chromium with a real remote.

import assert from "node:assert/strict";
import { after, before, describe, test as nodeTest } from "node:test";
import { Scene, chapters, drop, read, reload, shelf, untilShelf, untilText } from "./support.mjs";

describe("the shelf", () => {
  const scene = new Scene();
  const test = chapters(nodeTest);
  let browser, page;
  before(async () => {
    await scene.serve();
    browser = await scene.browser("first");
  });
  after(() => scene.end());

  test("starts empty, and takes files that are dropped, picked or drawn", async () => {
    page = await scene.open(browser);
    assert.equal(await page.$eval("#empty", (empty) => empty.hidden), false);
    await drop(page, { "dropped.txt": "high tide at 06:12" });
    await untilShelf(page, { "dropped.txt": "both" });
    const [chooser] = await Promise.all([page.waitForFileChooser(), page.click("#add")]);
    await chooser.accept([new URL("../package.json", import.meta.url).pathname]);
    await untilShelf(page, { "dropped.txt": "both", "package.json": "both" });
    assert.equal(await page.$eval("#empty", (empty) => empty.hidden), true);
    assert.equal(await read(page, "dropped.txt"), "high tide at 06:12");
    await untilText(page, "#tide-title", "All safe, here and there");
    // Two files, two cards.
    assert.equal((await scene.remote()).size, 4);
  });

  test("keeps files while the remote is down, through a reload", async () => {
    await untilText(page, "#offline-ready", "opens without a network");
    await page.click("#remote");
    await untilText(page, "#toasts", "is down");
    await drop(page, { "waits.txt": "nobody is there" });
    await untilShelf(page, { "dropped.txt": "both", "package.json": "both", "waits.txt": "here" });
    await untilText(page, "#tide-title", "The remote cannot be reached");
    assert.notEqual(await page.$eval("#progress", (bar) => bar.getAttribute("aria-valuenow")), "100");
    await reload(page);
    await untilShelf(page, { "dropped.txt": "both", "package.json": "both", "waits.txt": "here" });
  });

  test("uploads what waited when the remote is back", async () => {
    await page.click("#remote");
    await untilShelf(page, { "dropped.txt": "both", "package.json": "both", "waits.txt": "both" });
    await untilText(page, "#tide-title", "All safe, here and there");
    assert.equal((await scene.remote()).size, 6);
  });

  test("lets nothing out while its network is off", async () => {
    await page.click("#network");
    await untilText(page, "#toasts", "The network is off");
    await drop(page, { "cut.txt": "under a cut cable" });
    await untilText(page, "#tide-title", "The network is off");
    await untilShelf(page, { "dropped.txt": "both", "package.json": "both", "waits.txt": "both", "cut.txt": "here" });
    await reload(page);
    await untilText(page, "#tide-title", "The network is off");
    assert.equal((await scene.remote()).size, 6);
    await page.click("#network");
    await untilText(page, "#tide-title", "All safe, here and there");
    await untilShelf(page, { "dropped.txt": "both", "package.json": "both", "waits.txt": "both", "cut.txt": "both" });
  });

  test("opens with no server at all, after the browser was killed, with everything that was on it", async () => {
    await scene.demo.close();
    await reload(page);
    await drop(page, { "island.txt": "no server, no remote" });
    await untilText(page, "#tide-title", "The remote cannot be reached");
    await page.waitForFunction(() => document.querySelector('[data-place="here"]'));
    await browser.kill();
    browser = await scene.browser("first");
    page = await scene.open(browser);
    await untilShelf(page, { "dropped.txt": "both", "package.json": "both", "waits.txt": "both", "cut.txt": "both", "island.txt": "here" });
    assert.equal(await read(page, "island.txt"), "no server, no remote");
    assert.equal(await read(page, "dropped.txt"), "high tide at 06:12");
  });

  test("uploads all of it by itself once the server is back", async () => {
    await scene.serve();
    await untilText(page, "#tide-title", "All safe, here and there");
    await untilShelf(page, { "dropped.txt": "both", "package.json": "both", "waits.txt": "both", "cut.txt": "both", "island.txt": "both" });
    assert.equal((await scene.remote()).size, 10);
  });

  test("shows a second tab what the first one does", async () => {
    const second = await scene.open(browser);
    await drop(second, { "from the second tab.txt": "ahoy" });
    // A tab in the background draws nothing, and waits for nothing.
    await page.bringToFront();
    await page.waitForFunction(() => document.querySelector("#files").textContent.includes("from the second tab.txt"));
    assert.equal(await read(page, "from the second tab.txt"), "ahoy");
    await second.close();
  });

  test("shows another device what is on the remote, and fetches it when it is opened", async () => {
    await untilText(page, "#tide-title", "All safe, here and there");
    const other = await scene.browser("second");
    const there = await scene.open(other);
    const places = async (island) => untilShelf(there, { ...Object.fromEntries(Object.keys(await shelf(page)).map((name) => [name, "there"])), "island.txt": island });
    await places("there");
    assert.equal(await read(there, "island.txt"), "no server, no remote");
    await places("both");
    await other.close();
  });

  test("removes a file here and on the remote", async () => {
    const before = (await scene.remote()).size;
    await page.evaluate(() => [...document.querySelectorAll(".file")].find((file) => file.textContent.includes("dropped.txt")).click());
    await page.waitForSelector("#preview[open] .danger");
    await page.click("#preview .danger");
    await page.click("#preview .danger");
    await page.waitForFunction(() => !document.querySelector("#files").textContent.includes("dropped.txt"));
    await untilText(page, "#tide-title", "All safe, here and there");
    assert.equal((await scene.remote()).size, before - 2);
    await reload(page);
    assert.ok(!("dropped.txt" in (await shelf(page))));
  });

  test("says that there is a new version, and loads it when it is asked to", async () => {
    const release = () => page.$eval("html", (html) => html.dataset.release ?? "first");
    assert.equal(await release(), "first");
    scene.release((html) => html.replace("<html", '<html data-release="second"'));
    await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update());
    await untilText(page, "#toasts", "There is a new version of this page.");
    // Not before it is asked to: somebody may be in the midst of something.
    await reload(page);
    assert.equal(await release(), "first");
    await untilText(page, "#toasts", "There is a new version of this page.");
    const loaded = page.waitForNavigation();
    await page.evaluate(() => [...document.querySelectorAll("#toasts button")].find((button) => button.textContent === "Load it").click());
    await loaded;
    await page.waitForFunction(() => document.documentElement.dataset.ready === "yes");
    assert.equal(await release(), "second");
    assert.ok("island.txt" in (await shelf(page)));
  });

  test("is looked into by the inspector, which verifies everything", async () => {
    await page.click('a[href="#inspector"]');
    await untilText(page, "#panels", "OPFS, one file");
    for (const word of ["Log", "Tables", "Packs", "Kept in", "This origin", "Uploaded", scene.demo.remote.url]) await untilText(page, "#panels", word);
    await page.evaluate(() => [...document.querySelectorAll("#panels button")].find((button) => button.textContent === "Verify everything").click());
    await untilText(page, "#toasts", "no damage");
    await page.click('a[href="#shelf"]');
    assert.deepEqual(page.troubles, []);
  });
});
