// Pictures of the page as it is: light and dark, on a desktop and on a phone. `PICTURES` says where they go; the README has one.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Scene, untilText } from "./support.mjs";

const FOLDER = process.env.PICTURES;
const DEVICES = { desktop: { width: 1280, height: 860 }, phone: { width: 390, height: 844, scale: 2 } };

describe("pictures", { skip: FOLDER === undefined && "PICTURES is not set" }, () => {
  const scene = new Scene();
  let browser;
  before(async () => {
    mkdirSync(FOLDER, { recursive: true });
    await scene.serve();
    browser = await scene.browser("pictures");
    const page = await scene.open(browser);
    await picture(page, "empty");
    await page.click("#samples");
    await page.waitForFunction(() => document.querySelectorAll('[data-place="both"]').length === 8);
    await scene.demo.remote.down();
    await paste(page, { "The sandbank.jpg": "Seals, far out.jpg", "Night watch.jpg": "Home by moonlight.jpg" });
    await untilText(page, "#tide-title", "The remote cannot be reached");
    await page.waitForFunction(() => document.querySelectorAll('[data-place="here"]').length === 2);
    await page.close();
  });
  after(() => scene.end());

  for (const dark of [false, true]) {
    for (const [device, size] of Object.entries(DEVICES)) {
      test(`in the ${dark ? "dark" : "light"}, on a ${device}`, async () => {
        const name = (what) => `${what}-${device}-${dark ? "dark" : "light"}`;
        const page = await scene.open(browser, { ...size, dark });
        await untilText(page, "#tide-title", "The remote cannot be reached");
        await page.waitForFunction(() => document.querySelectorAll('[data-place="here"]').length === 2);
        await picture(page, name("shelf"));
        await page.click(".file");
        await page.waitForFunction(() => document.querySelector("#preview .stage:not([aria-busy])"));
        await picture(page, name("file"));
        await page.keyboard.press("Escape");
        await page.click('a[href="#inspector"]');
        await untilText(page, "#panels", "What waits");
        await picture(page, name("inspector"), { fullPage: true });
        await page.close();
      });
    }
  }
});

/** Pastes pictures that are on the shelf once more, mirrored and under other names. */
function paste(page, names) {
  return page.evaluate(async (names) => {
    const clipboardData = new DataTransfer();
    for (const file of document.querySelectorAll(".file")) {
      const name = names[file.querySelector(".name").textContent];
      if (!name) continue;
      const image = file.querySelector("img");
      await image.decode();
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: image.naturalWidth, height: image.naturalHeight });
      const context = canvas.getContext("2d");
      context.scale(-1, 1);
      context.drawImage(image, -canvas.width, 0);
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg"));
      clipboardData.items.add(new File([blob], name, { type: blob.type }));
    }
    dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
  }, names);
}

async function picture(page, name, options = {}) {
  // Nothing moves, and every letter is there.
  await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }, ...page.colours]);
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: join(FOLDER, `${name}.jpg`), type: "jpeg", quality: 74, ...options });
}
