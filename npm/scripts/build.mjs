// Builds `dist/` from `src/` and from what wasm-bindgen wrote into `build/`.

import { build } from "esbuild";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

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

/** Files that become text inside of another. */
const inline = {
  name: "inline",
  setup(build) {
    build.onResolve({ filter: /^inline:/ }, ({ path }) => ({ path, namespace: "inline" }));
    build.onLoad({ filter: /.*/, namespace: "inline" }, async ({ path }) => {
      if (path === "inline:worker") return { contents: await bundle("src/worker.ts", { format: "iife" }), loader: "text" };
      const core = await readFile(join(root, "build/core.wasm"));
      return { contents: gzipSync(core, { level: 9 }).toString("base64"), loader: "text" };
    });
  },
};

const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: !dev,
  legalComments: "none",
  plugins: [snippets, inline],
  absWorkingDir: root,
  logLevel: "warning",
  // wasm-bindgen names a module once for each import of it.
  logOverride: { "duplicate-object-key": "silent" },
};

async function bundle(entry, options = {}) {
  const { outputFiles } = await build({ ...common, entryPoints: [entry], write: false, ...options });
  return outputFiles[0].text;
}

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await cp(join(root, "build/core.wasm"), join(dist, "core.wasm"));
for (const name of ["worker", "index", "inline", "slim"]) {
  await writeFile(join(dist, `${name}.js`), await bundle(`src/${name}.ts`));
}
for (const name of ["node", "node-worker"]) {
  await writeFile(join(dist, `${name}.js`), await bundle(`src/${name}.ts`, { platform: "node" }));
}
await writeFile(join(dist, "react.js"), await bundle("src/react.ts", { external: ["react"] }));
await writeFile(join(dist, "workerd.js"), await bundle("src/workerd.ts", { external: ["*.wasm"] }));

// The types of the public surface; `tsc` wrote them.
const types = join(root, "build/types/npm/src");
for (const file of await readdir(types)) {
  if (/^(index|node|inline|slim|workerd|public|react|errors|options|store|doc|doc-types|value)\.d\.ts$/.test(file)) await cp(join(types, file), join(dist, file));
}
for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) await cp(join(root, "..", name), join(root, name));
