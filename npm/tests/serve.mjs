// A small server for tests: the package, the tests' pages, and what a test adds.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webmanifest": "application/manifest+json",
};

/** Serves folders below their prefixes: `{ "/dist/": "/path" }`. */
export async function serve(folders, port = 0) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const prefix = Object.keys(folders).find((prefix) => pathname.startsWith(prefix));
    if (!prefix) return response.writeHead(404).end();
    const inside = normalize(decodeURIComponent(pathname.slice(prefix.length)) || "index.html");
    if (inside.startsWith("..")) return response.writeHead(404).end();
    try {
      const bytes = await readFile(join(folders[prefix], inside));
      response.writeHead(200, { "content-type": TYPES[extname(inside)] ?? "application/octet-stream", "cache-control": "no-store" });
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { url: `http://localhost:${server.address().port}`, close: () => server.close() };
}

/** A path inside of the package. */
export const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
