// Serves the page, and runs a remote beside it that can be taken down: `littoral serve`, as anybody would run it.
//
//   node scripts/serve.mjs --littoral PROGRAM --store FILE [--port 8420] [--remote-port 7420]
//
// `PORT` and `REMOTE_PORT` in the environment do the same.

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export const SITE = join(dirname(fileURLToPath(import.meta.url)), "../site");
/** Where the page asks for the remote, and switches it. */
const CONTROL = "/demo/remote";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
};

/** Starts both. Ports of 0 are chosen by the system. */
export async function serveDemo({ littoral, store, site = SITE, port = 0, remotePort = 0 }) {
  let remote;
  const server = createServer((request, response) => {
    answer(request, remote, site).then(
      ([status, type, body]) => response.writeHead(status, { "content-type": type, "cache-control": "no-cache" }).end(body),
      (error) => response.writeHead(500, { "content-type": "text/plain" }).end(String(error)),
    );
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const url = `http://localhost:${server.address().port}`;
  remote = new Remote(littoral, store, remotePort, url);
  try {
    await remote.up();
  } catch (error) {
    server.close();
    throw error;
  }
  return {
    url,
    remote,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await remote.down();
    },
  };
}

async function answer(request, remote, site) {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === CONTROL) return control(request, remote);
  const inside = normalize(decodeURIComponent(pathname)).slice(1) || "index.html";
  if (inside.startsWith("..")) return [404, TYPES[".html"], "not found"];
  try {
    return [200, TYPES[extname(inside)] ?? "application/octet-stream", await readFile(join(site, inside))];
  } catch {
    return [404, TYPES[".html"], "not found"];
  }
}

async function control(request, remote) {
  if (request.method === "POST") {
    // Other pages cannot send this type without being allowed to, and nobody allows them.
    if (request.headers["content-type"] !== "application/json") return [415, "text/plain", "send application/json"];
    let text = "";
    for await (const piece of request) text += piece;
    if (JSON.parse(text).up) await remote.up();
    else await remote.down();
  }
  return [200, "application/json", JSON.stringify({ url: remote.url, up: remote.isUp })];
}

/** A remote in a process of its own. */
class Remote {
  #littoral;
  #store;
  #port;
  #origin;
  #process;
  #turn = Promise.resolve();
  url = "";

  constructor(littoral, store, port, origin) {
    this.#littoral = littoral;
    this.#store = store;
    this.#port = port;
    this.#origin = origin;
  }

  get isUp() {
    return this.#process !== undefined;
  }

  up() {
    return this.#inTurn(async () => {
      if (this.#process) return;
      const listen = `127.0.0.1:${this.#port}`;
      const started = spawn(
        this.#littoral,
        ["serve", "--json", "--listen", listen, "--origin", this.#origin, "--store", this.#store],
        { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, LITTORAL_TOKEN: undefined } },
      );
      const line = await new Promise((resolve, reject) => {
        started.once("error", reject);
        started.once("exit", (code) => reject(new Error(`${this.#littoral} serve ended with ${code}`)));
        started.stdout.once("data", (data) => resolve(String(data)));
      });
      const { url, error } = JSON.parse(line);
      if (error) throw new Error(error.message);
      this.url = url;
      // The same place after it was down.
      this.#port = Number(new URL(this.url).port);
      this.#process = started;
      started.once("exit", () => {
        if (this.#process === started) this.#process = undefined;
      });
    });
  }

  down() {
    return this.#inTurn(async () => {
      const running = this.#process;
      if (!running) return;
      const ended = new Promise((resolve) => running.once("exit", resolve));
      running.kill("SIGTERM");
      await ended;
    });
  }

  #inTurn(work) {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      littoral: { type: "string", default: "littoral" },
      store: { type: "string", default: "demo-remote.littoral" },
      port: { type: "string", default: process.env.PORT ?? "8420" },
      "remote-port": { type: "string", default: process.env.REMOTE_PORT ?? "7420" },
    },
  });
  const demo = await serveDemo({
    littoral: values.littoral,
    store: values.store,
    port: Number(values.port),
    remotePort: Number(values["remote-port"]),
  }).catch((error) => {
    const taken = error.code === "EADDRINUSE" ? `port ${error.port} is taken` : error.message;
    console.error(`The demo does not start: ${taken}. PORT and REMOTE_PORT choose others than 8420 and 7420.`);
    process.exit(1);
  });
  console.log(`The shelf is at ${demo.url}, its remote at ${demo.remote.url}. Ctrl-C ends both.`);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => void demo.close().then(() => process.exit(0)));
  }
}
