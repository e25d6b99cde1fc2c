// Runs the core's own suites of stores over one backend, inside of a worker.

import init, { conformance } from "../build/conformance/engine.js";
import { openIndexedDb, removeFromIndexedDb } from "../../host-browser/js/indexeddb.js";
import { openOpfs, removeFromOpfs } from "../../host-browser/js/opfs.js";

const [open, remove] = { opfs: [openOpfs, removeFromOpfs], indexeddb: [openIndexedDb, removeFromIndexedDb] }[name];

(async () => {
  await init({ module_or_path: "/build/conformance/engine_bg.wasm" });
  let count = 0;
  await conformance(async (fresh) => open(`conformance-${fresh ? ++count : count}`));
  for (let i = 1; i <= count; i++) await remove(`conformance-${i}`).catch(() => {});
  return count;
})().then(
  (count) => postMessage({ count }),
  (error) => postMessage({ error: String(error?.message ?? error) }),
);
