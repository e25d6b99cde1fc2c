// Builds `dist/` from `src/` and from what wasm-bindgen wrote into `build/`.

import { build } from "esbuild";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const dev = process.argv.includes("--dev");

/** What wasm-bindgen copied of the crate's JavaScript is the crate's JavaScript. */
const snippets = {
  name: "snippets",
  setup(build) {
    build.onResolve({ filter: /snippets\/littoral-browser-[0-9a-f]+\/js\// }, ({ path }) => ({
      path: join(root, "../host-browser/js", path.split("/js/")[1]),
    }));
  },
};

const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: !dev,
  legalComments: "none",
  plugins: [snippets],
  absWorkingDir: root,
  logLevel: "warning",
  // wasm-bindgen names a module once for each import of it.
  logOverride: { "duplicate-object-key": "silent" },
};

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await cp(join(root, "build/core.wasm"), join(dist, "core.wasm"));
await build({ ...common, entryPoints: ["src/worker.ts"], outfile: "dist/worker.js" });
await build({ ...common, entryPoints: ["src/index.ts"], outfile: "dist/index.js" });
