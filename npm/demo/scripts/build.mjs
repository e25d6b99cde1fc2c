// Builds `site/`: the page, the package's worker and module beside it, and the service worker that keeps all of them.

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const demo = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(demo, "../dist");
const site = join(demo, "site");

const common = {
  absWorkingDir: demo,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: !process.argv.includes("--dev"),
  legalComments: "none",
  logLevel: "warning",
  alias: { littoral: join(dist, "index.js") },
  // Relative addresses of fonts in style sheets.
  loader: { ".woff2": "copy" },
  assetNames: "[name]",
};

await stat(join(dist, "worker.js")).catch(() => {
  throw new Error("the package is not built: run `cargo xtask demo web`");
});
await rm(site, { recursive: true, force: true });
await mkdir(site, { recursive: true });
await cp(join(demo, "static"), site, { recursive: true });
// Where the package looks for them: beside the code that it became part of.
for (const file of ["worker.js", "core.wasm"]) await cp(join(dist, file), join(site, file));
await build({ ...common, entryPoints: ["src/app.ts", "src/app.css"], outdir: "site" });

/** Everything that the page needs, with what changes when its bytes do. */
const files = (await readdir(site)).sort();
const manifest = await Promise.all(
  files.map(async (url) => {
    const bytes = await readFile(join(site, url));
    return { url, revision: createHash("sha256").update(bytes).digest("hex").slice(0, 16) };
  }),
);
await build({
  ...common,
  format: "iife",
  entryPoints: { sw: "src/service-worker.ts" },
  outdir: "site",
  define: { PRECACHE: JSON.stringify(manifest), "process.env.NODE_ENV": '"production"' },
});
