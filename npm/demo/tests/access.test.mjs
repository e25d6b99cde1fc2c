// The page for people who do not use a mouse, or do not see it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Scene, accessible, drop, untilText } from "./support.mjs";

describe("the page", () => {
  const scene = new Scene();
  let browser;
  before(async () => {
    await scene.serve();
    browser = await scene.browser("keys");
  });
  after(() => scene.end());

  for (const dark of [false, true]) {
    for (const [device, size] of [["desktop", {}], ["phone", { width: 390, height: 844 }]]) {
      test(`has nothing that axe finds in the ${dark ? "dark" : "light"} on a ${device}`, async () => {
        await scene.demo.remote.up();
        const page = await scene.open(browser, { ...size, dark });
        await accessible(page, "the shelf as it is found");
        if (!(await page.$(".file"))) {
          await page.click("#samples");
          await page.waitForFunction(() => document.querySelectorAll('[data-place="both"]').length === 8);
          await accessible(page, "the shelf with files");
        }
        await page.click(".file");
        await page.waitForFunction(() => document.querySelector("#preview .stage:not([aria-busy])"));
        await accessible(page, "a file");
        await page.keyboard.press("Escape");
        await page.click("#remote");
        const name = `waits, ${dark} ${device}.txt`;
        await drop(page, { [name]: name });
        await untilText(page, "#tide-title", "The remote cannot be reached");
        await page.waitForFunction(() => document.querySelector('[data-place="here"]'));
        await accessible(page, "the shelf while files wait");
        await page.click('a[href="#inspector"]');
        await untilText(page, "#panels", "What waits");
        await accessible(page, "the inspector");
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${wide} pixels beyond the edge`);
        await page.close();
      });
    }
  }

  test("is used with the keyboard alone", async () => {
    await scene.demo.remote.up();
    const page = await scene.open(browser);
    const focused = () => page.evaluate(() => document.activeElement.getAttribute("href") ?? document.activeElement.id ?? "");
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "#main");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "#inspector");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !document.querySelector("#inspector").hidden);
    assert.equal(await focused(), "inspector");
    await page.keyboard.down("Shift");
    for (let i = 0; i < 20 && (await focused()) !== "#shelf"; i++) await page.keyboard.press("Tab");
    await page.keyboard.up("Shift");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !document.querySelector("#shelf").hidden);
    const isFile = () => page.evaluate(() => document.activeElement.matches(".file"));
    for (let i = 0; i < 20 && !(await isFile()); i++) await page.keyboard.press("Tab");
    const name = await page.evaluate(() => document.activeElement.querySelector(".name").textContent);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#preview[open]");
    assert.equal(await page.$eval("#preview-title", (title) => title.textContent), name);
    // It begins inside, and ends where it began.
    assert.ok(await page.evaluate(() => document.querySelector("#preview").contains(document.activeElement)));
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => document.activeElement.querySelector(".name")?.textContent), name);
    // What is removed hands the focus on.
    await page.keyboard.press("Enter");
    await page.waitForSelector("#preview[open] a[href]");
    for (let i = 0; i < 10 && !(await page.evaluate(() => document.activeElement.matches(".danger"))); i++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.waitForFunction((name) => document.querySelector("#toasts").textContent.includes(`${name} was removed`), {}, name);
    assert.ok(await isFile());
    await page.close();
  });

  test("shows what was said of a file, and every commit of it with the keyboard", async () => {
    const page = await scene.open(browser);
    await drop(page, { "history.txt": "once upon a time" });
    await untilText(page, "#files", "history.txt");
    const file = await page.evaluateHandle(() => [...document.querySelectorAll(".file")].find((file) => file.textContent.includes("history.txt")));
    await page.waitForFunction((file) => !file.disabled, {}, file);
    for (const caption of ["A tale", "A tall tale"]) {
      await file.press("Enter");
      await page.waitForSelector("#preview[open] #caption");
      await page.$eval("#caption", (input) => input.select());
      await page.type("#caption", caption);
      await page.keyboard.press("Tab");
      await page.waitForFunction((file, caption) => file.querySelector(".said").textContent === caption, {}, file, caption);
      await page.keyboard.press("Escape");
    }
    await page.click('a[href="#inspector"]');
    const shown = () => page.$eval("#commit", (slider) => [slider.max, slider.value, slider.getAttribute("aria-valuetext"), document.querySelector("#commit-what").textContent]);
    await page.waitForFunction(() => document.querySelector(".tree").textContent.includes("A tall tale"));
    const [max, value, said, what] = await shown();
    assert.equal(value, max);
    assert.match(said, /set files\..*caption.* to "A tall tale"/);
    assert.equal(what, `Commit ${max} of ${max}, just now`);
    assert.equal(await page.$eval(".tree .leaf.changed", (leaf) => leaf.textContent), 'caption"A tall tale"changed');
    await page.focus("#commit");
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(() => document.querySelector(".tree").textContent.includes("A tale"));
    assert.equal(await page.$eval(".tree .leaf.new", (leaf) => leaf.textContent), 'caption"A tale"new');
    await page.keyboard.press("Home");
    await untilText(page, "#commit-what", "Commit 0 of");
    assert.match(await page.$eval(".ops", (ops) => ops.textContent), /the document is empty/);
    assert.ok(await page.$eval('[aria-label="Earlier commit"]', (button) => button.disabled));
    await page.click('[aria-label="Later commit"]');
    await untilText(page, "#commit-what", "Commit 1 of");
    assert.match(await page.$eval("#live", (live) => live.textContent), /^Commit 1 of .*set files/);
    await accessible(page, "the history");
    await page.close();
  });

  test("tells a screen reader what becomes of files, and no running numbers", async () => {
    const page = await scene.open(browser);
    await page.evaluate(() => {
      globalThis.heard = [];
      const live = document.querySelector("#live");
      new MutationObserver(() => heard.push(live.textContent)).observe(live, { childList: true, characterData: true, subtree: true });
    });
    await drop(page, { "heard.txt": "ahoy" });
    await page.waitForFunction(() => heard.includes("1 file kept in this browser."));
    await untilText(page, "#tide-title", "All safe, here and there");
    // Longer than it waits before it says something.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const heard = await page.evaluate(() => heard);
    assert.ok(heard.length <= 5, heard.join(" / "));
    const bar = await page.$eval("#progress", (bar) => [bar.getAttribute("role"), bar.getAttribute("aria-valuenow"), bar.getAttribute("aria-valuetext")]);
    assert.deepEqual(bar, ["progressbar", "100", "nothing waits"]);
    await page.close();
  });
});
