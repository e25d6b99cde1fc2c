// The public test suite of RFC 6902, on a document.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { open } from "../dist/node.js";
import { folder } from "./native.mjs";

const require = createRequire(import.meta.url);

for (const file of ["spec_tests.json", "tests.json"]) {
  test(`every case of ${file} ends as it says`, async () => {
    const place = folder();
    const store = await open("suite", { path: place.file("suite.littoral") });
    try {
      const cases = require(`json-patch-test-suite/${file}`).filter((one) => one.patch && !one.disabled);
      assert.ok(cases.length > 15);
      for (const { comment, doc: before, patch, expected = before, error } of cases) {
        const what = `${comment ?? ""} ${JSON.stringify(patch)} on ${JSON.stringify(before)}`;
        await store.doc.set("", before);
        const commit = await store.doc.currentCommit();
        const patched = store.doc.patch("", { jsonPatch: patch });
        if (error) {
          await assert.rejects(patched, (refused) => ["Conflict", "InvalidInput"].includes(refused.code), what);
          assert.equal(await store.doc.currentCommit(), commit, what);
        } else await assert.doesNotReject(patched, what);
        assert.deepEqual(await store.doc.read(""), error ? before : expected, what);
      }
    } finally {
      await store.close();
      place.remove();
    }
  });
}
