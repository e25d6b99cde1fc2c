// Real browsers behind one small interface: a page runs a function and returns what it comes to.

import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

/** Which browsers to test in: all of them, or those that `BROWSERS` names. */
export const BROWSERS = (process.env.BROWSERS ?? "chromium,firefox,webkit").split(",");

const QUIET = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--no-first-run",
];

/** Starts a browser. `profile`: a folder that outlives it. */
export async function launch(name, options = {}) {
  switch (name) {
    case "chromium":
      return new Puppeteer(
        await puppeteer.launch({
          executablePath: find(process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"),
          args: [...QUIET, ...(options.args ?? [])],
          ...(options.profile && { userDataDir: options.profile }),
        }),
      );
    case "firefox":
      return new Puppeteer(
        await puppeteer.launch({
          browser: "firefox",
          executablePath: find(process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox"),
          ...(options.profile && { userDataDir: options.profile }),
        }),
      );
    case "webkit":
      return options.profile ? Alone.launch(options.profile) : Webkit.launch();
    default:
      throw new Error(`no browser ${name}`);
  }
}

/** A new folder for a profile, as a browser that was killed left another one, and what takes it away. */
export function profile(like) {
  const folder = mkdtempSync(join(tmpdir(), "littoral-profile-"));
  // A copy: the driver of the browser that was killed may still tidy up in its own.
  if (like) cpSync(like, folder, { recursive: true, verbatimSymlinks: true, filter: (path) => !/(lock|Singleton\w+|\.puppeteer)$/.test(path) });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }) };
}

function find(...candidates) {
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) throw new Error(`none of ${candidates.filter(Boolean).join(", ")} is there: run \`cargo xtask setup\``);
  return found;
}

class Puppeteer {
  constructor(browser) {
    this.browser = browser;
    this.process = browser.process();
  }

  async page(url) {
    const page = await this.browser.newPage();
    const wrapped = new PuppeteerPage(page);
    if (url) await wrapped.goto(url);
    return wrapped;
  }

  /** As in `Chromium 156`. */
  async version() {
    return (await this.browser.version()).replace(/^(Headless)?Chrome\//i, "Chromium ").replace(/^firefox\//i, "Firefox ").replace(/(\d+)\..*/, "$1");
  }

  close() {
    return this.browser.close();
  }

  /** As a crash ends it. */
  async kill() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGKILL");
    await ended;
  }
}

class PuppeteerPage {
  constructor(page) {
    this.page = page;
    this.log = [];
    page.on("console", (message) => this.log.push(message.text()));
    page.on("pageerror", (error) => this.log.push(String(error)));
  }

  async goto(url) {
    await this.page.goto(url);
    await this.page.waitForFunction("globalThis.ready === true", { timeout: 20_000 });
  }

  /** Navigates away. */
  leave() {
    return this.page.goto("about:blank");
  }

  async reload() {
    await this.page.reload();
    await this.page.waitForFunction("globalThis.ready === true", { timeout: 20_000 });
  }

  run(work, ...args) {
    return this.page.evaluate(work, ...args);
  }

  close() {
    return this.page.close();
  }
}

/** WebKitGTK's small browser, driven by WebDriver under a display of its own. */
class Webkit {
  static async launch() {
    const { binary, xvfb, env } = onADisplay();
    const port = await freePort();
    const driver = spawn("WebKitWebDriver", [`--port=${port}`], { stdio: "ignore", env });
    const webkit = new Webkit(port, [driver, xvfb]);
    const gone = (what) => (error) => (webkit.failure = new Error(`${what} does not start (${error.message}): run \`cargo xtask setup\``));
    xvfb.on("error", gone("Xvfb"));
    driver.on("error", gone("WebKitWebDriver"));
    const options = { binary, args: ["--automation"] };
    const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": options } };
    for (let attempt = 0; ; attempt++) {
      try {
        const { sessionId, capabilities: found } = await webkit.ask("POST", "/session", { capabilities });
        webkit.browserVersion = String(found?.browserVersion ?? "").split(".").slice(0, 2).join(".");
        webkit.session = `/session/${sessionId}`;
        break;
      } catch (error) {
        if (webkit.failure || attempt === 50) {
          webkit.end();
          throw webkit.failure ?? error;
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
    await webkit.ask("POST", `${webkit.session}/timeouts`, { script: 120_000, pageLoad: 60_000 });
    return webkit;
  }

  constructor(port, children) {
    this.port = port;
    this.children = children;
    this.turn = Promise.resolve();
  }

  async ask(method, path, body) {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  }

  async page(url) {
    // The first window stays: closing the last one ends the session.
    this.first ??= await this.ask("GET", `${this.session}/window`);
    const made = this.turn.then(async () => {
      await this.ask("POST", `${this.session}/window`, { handle: this.first });
      return this.ask("POST", `${this.session}/window/new`, { type: "tab" });
    });
    this.turn = made.catch(() => {});
    const { handle } = await made;
    const page = new WebkitPage(this, handle);
    if (url) await page.goto(url);
    return page;
  }

  /** As in `WebKitGTK 2.50`. */
  async version() {
    return `WebKitGTK ${this.browserVersion}`;
  }

  async close() {
    await this.ask("DELETE", this.session).catch(() => {});
    this.end();
  }

  end() {
    for (const child of this.children) child.kill("SIGKILL");
  }
}

class WebkitPage {
  log = [];

  constructor(browser, handle) {
    this.browser = browser;
    this.handle = handle;
  }

  /** One thing at a time: a driver looks at one window. */
  ask(method, path, body) {
    const { browser } = this;
    const answer = browser.turn.then(async () => {
      await browser.ask("POST", `${browser.session}/window`, { handle: this.handle });
      return browser.ask(method, browser.session + path, body);
    });
    browser.turn = answer.catch(() => {});
    return answer;
  }

  async goto(url) {
    await this.ask("POST", "/url", { url });
    await this.#ready();
  }

  /** Navigates away. */
  leave() {
    return this.ask("POST", "/url", { url: "about:blank" });
  }

  async reload() {
    await this.ask("POST", "/refresh", {});
    await this.#ready();
  }

  async #ready() {
    for (let attempt = 0; attempt < 200; attempt++) {
      if (await this.ask("POST", "/execute/sync", { script: "return globalThis.ready === true", args: [] })) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("the page did not get ready");
  }

  async run(work, ...args) {
    const script = `
      const [args, done] = arguments;
      Promise.resolve().then(() => (${work})(...args)).then((value) => done({ value }), (error) => done({ error: String(error?.stack ?? error) + " " + error }));`;
    const { value, error } = await this.ask("POST", "/execute/async", { script, args: [args] });
    if (error !== undefined) throw new Error(error);
    return value ?? undefined;
  }

  close() {
    return this.ask("DELETE", "/window");
  }
}

/** WebKitGTK's small browser, and a display of its own for it. */
function onADisplay() {
  const binary = find(process.env.MINIBROWSER, ...miniBrowsers());
  const display = `:${100 + Math.floor(Math.random() * 800)}`;
  const xvfb = spawn("Xvfb", [display, "-screen", "0", "1280x900x24", "-nolisten", "tcp"], { stdio: "ignore" });
  const env = { ...process.env, DISPLAY: display, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1", LIBGL_ALWAYS_SOFTWARE: "1" };
  return { binary, xvfb, env };
}

/**
 * WebKitGTK's small browser without a driver, whose profile would go with it: its one page asks here what to run (`driven.js`), and
 * tells what came of it.
 */
class Alone {
  log = [];
  #jobs = [];
  #asking = [];
  #results = new Map();
  #made = 0;

  static async launch(profile) {
    const alone = new Alone();
    const { binary, xvfb, env } = onADisplay();
    alone.xvfb = xvfb;
    alone.start = (url) => {
      // A group of its own, so that no process of it outlives a kill.
      const homes = { XDG_DATA_HOME: join(profile, "data"), XDG_CACHE_HOME: join(profile, "cache"), XDG_CONFIG_HOME: join(profile, "config") };
      alone.process = spawn(binary, [url], { stdio: "ignore", env: { ...env, ...homes }, detached: true });
    };
    alone.server = createHttpServer((request, response) => void alone.#serve(request, response));
    await new Promise((resolve) => alone.server.listen(0, "127.0.0.1", resolve));
    return alone;
  }

  async #serve(request, response) {
    response.setHeader("access-control-allow-origin", "*");
    let body = "";
    for await (const piece of request) body += piece;
    if (request.url === "/job") {
      this.#asking.push(response);
      return this.#hand();
    }
    response.end();
    if (request.url === "/log") this.log.push(body);
    if (request.url !== "/result") return;
    const { id, value, error } = JSON.parse(body);
    const { resolve, reject } = this.#results.get(id);
    error === undefined ? resolve(value) : reject(new Error(error));
  }

  #hand() {
    while (this.#jobs.length > 0 && this.#asking.length > 0) this.#asking.shift().end(JSON.stringify(this.#jobs.shift()));
  }

  /** Its one page. */
  async page(url) {
    this.start(`${url}?driver=${this.server.address().port}`);
    await this.run(() => {});
    return this;
  }

  run(work, ...args) {
    const id = this.#made++;
    this.#jobs.push({ id, work: String(work), args });
    this.#hand();
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("the page did not answer within a minute")), 60_000);
      this.#results.set(id, { resolve: (value) => (clearTimeout(late), resolve(value)), reject: (error) => (clearTimeout(late), reject(error)) });
    });
  }

  /** As a crash ends it. */
  async kill() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    process.kill(-this.process.pid, "SIGKILL");
    await ended;
    this.xvfb.kill("SIGKILL");
    this.server.closeAllConnections();
    this.server.close();
  }

  close() {
    return this.kill();
  }
}

function miniBrowsers() {
  const found = [];
  for (const folder of ["/usr/lib", "/usr/libexec", ...folders("/usr/lib")]) {
    for (const version of ["webkit2gtk-4.1", "webkitgtk-6.0"]) found.push(join(folder, version, "MiniBrowser"));
  }
  return found.filter((path) => existsSync(path)).concat("MiniBrowser");
}

function folders(path) {
  try {
    return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
  } catch {
    return [];
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
