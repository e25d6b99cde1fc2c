// The document of a store, in Node, and in the same file on the command line.

import assert from "node:assert/strict";
import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { isLink, link, open } from "../dist/node.js";
import { folder, littoral } from "./native.mjs";
import { here } from "./serve.mjs";

/** Runs with a store in a file that goes away. */
async function withStore(work) {
  const place = folder();
  const path = place.file("d.littoral");
  const store = await open("d", { path });
  try {
    await work(store.doc, path, store);
  } finally {
    await store.close();
    place.remove();
  }
}

const HEX = "0123456789abcdef".repeat(4);

/** What goes in, and what comes out where that is another thing. */
const VALUES = [
  [null],
  [true],
  [false],
  [0],
  [-0, 0],
  [-1],
  [Number.MAX_SAFE_INTEGER],
  [Number.MIN_SAFE_INTEGER],
  [5n, 5],
  [2n ** 53n],
  [2n ** 63n - 1n],
  [-(2n ** 63n)],
  [1.5],
  [-1e-7],
  [2 ** 60],
  [Number.MAX_VALUE],
  [""],
  ["tide \u0000 ü 潮 🌊"],
  [new Uint8Array([0, 255, 128])],
  [Buffer.from("buffer"), new Uint8Array(Buffer.from("buffer"))],
  [link(HEX)],
  [[]],
  [[1, [null, "x"], { a: [] }]],
  [{}],
  [{ b: 1, a: { "": null, "a.b": 2, "7": 3, "\ue000": 4, "🌊": 5 } }],
  [{ gone: undefined, here: 1 }, { here: 1 }],
  [JSON.parse('{"__proto__": 1, "constructor": {"prototype": 2}}')],
  // What looks like a link and is none.
  [{ "/": { map: { "/": "not a pointer" } } }],
  [{ "/": { map: { "/": { map: {} } } } }],
  [{ "/": { map: { "/": { map: 1 } } } }, { "/": { map: 1 } }],
  [{ "/": HEX, more: 1 }],
  [{ "/": { "/": HEX } }],
  [{ "/": 1 }],
  [Object.assign(Object.create(null), { bare: true }), { bare: true }],
];

test("every kind of value comes back as what it was", () =>
  withStore(async (doc, path, store) => {
    for (const [i, [value, expected = value]] of VALUES.entries()) {
      await doc.set(`v${i}`, value);
      assert.deepEqual(await doc.read(`v${i}`), expected);
      await doc.set(`in.list[0]`, value).catch(() => doc.set("in", { list: [value] }));
      assert.deepEqual(await doc.read("in"), { list: [expected] });
    }
    const back = await doc.read("v20");
    assert.ok(isLink(back) && !isLink("x") && !isLink(null) && !isLink({ "/": 1 }));
    // A sparse list is an object with decimal names.
    await doc.set("sparse{7}", "seven");
    await doc.set("sparse{18446744073709551615}", "last");
    assert.deepEqual(await doc.read("sparse"), { 7: "seven", "18446744073709551615": "last" });
    assert.equal(await doc.read("sparse{7}"), "seven");
    assert.equal(await doc.read("nothing.here"), undefined);
    await store.close();
    // The command line says the same, as DAG-JSON.
    const told = (path_) => JSON.parse(littoral("--store", path, "doc", "get", path_));
    assert.deepEqual(told("v18"), { "/": { bytes: "AP+A" } });
    assert.match(told("v20")["/"], /^b/);
    assert.equal(littoral("--store", path, "doc", "get", "v10"), "9223372036854775807");
    assert.deepEqual(told("v24"), VALUES[24][0]);
  }));

test("what is no value is refused before it is sent", () =>
  withStore(async (doc) => {
    const within = {};
    within.within = within;
    for (const wrong of [undefined, NaN, Infinity, 2n ** 63n, Symbol(), () => 1, new Date(), new Map(), [undefined], [, 1], "\ud800", within, { "/": "no pointer" }, new Float64Array(1)]) {
      await assert.rejects(doc.set("x", wrong), { name: "LittoralError", code: "InvalidInput" });
    }
    assert.equal(await doc.currentCommit(), 0);
  }));

test("patches are merged, or are lists of operations; a match that does not hold changes nothing", () =>
  withStore(async (doc) => {
    assert.equal(await doc.set("boats.ebb", { berth: 7, crew: ["Ann"] }), 1);
    assert.equal(await doc.patch("boats.ebb", { berth: 8, crew: null, mast: undefined }), 2);
    assert.deepEqual(await doc.read(""), { boats: { ebb: { berth: 8 } } });
    await doc.patch("boats.ebb", { jsonPatch: [{ op: "add", path: "/crew", value: ["Bo"] }] });
    await doc.patch("boats.ebb", {
      ops: [
        { op: "append", path: "crew", values: ["Cy"] },
        { op: "increment", path: "trips", by: 2 },
        { op: "move", from: "crew[0]", to: "crew[1]" },
      ],
    });
    assert.deepEqual(await doc.read("boats.ebb"), { berth: 8, crew: ["Cy", "Bo"], trips: 2 });
    // As a value, what looks like a patch is set.
    await doc.set("odd", { ops: [] });
    assert.deepEqual(await doc.read("odd"), { ops: [] });
    await doc.delete("odd");
    await assert.rejects(doc.delete("odd"), { code: "Conflict", message: /odd/ });
    const before = await doc.currentCommit();
    await assert.rejects(doc.patch("boats.ebb", { berth: 9 }, { match: { berth: 7 } }), { name: "LittoralError", code: "Conflict", message: /boats\.ebb.*match/ });
    await assert.rejects(doc.patch("boats.ebb.berth.deeper", { ops: [{ op: "append", path: "", values: [1] }] }), { code: "Conflict" });
    await assert.rejects(doc.patch("boats[", {}), { code: "InvalidInput" });
    await assert.rejects(doc.patch("", { ops: [{ op: "what", path: "" }] }), { code: "InvalidInput" });
    assert.equal(await doc.currentCommit(), before);
    await doc.patch("boats.ebb", { berth: 9 }, { match: { berth: { $gt: 7 }, crew: ["Cy", { $glob: "B*" }] } });
    await doc.declareKey("users", "id");
    await doc.set("users", [{ id: "jane", age: 7 }]);
    assert.equal(await doc.read("users(jane).age"), 7);
  }));

test("every past state is there, with what changed it", () =>
  withStore(async (doc) => {
    for (let n = 1; n <= 5; n++) await doc.set("n", n);
    await doc.set("other", true);
    assert.equal(await doc.read("n", { at: 2 }), 2);
    assert.equal(await doc.read("n", { at: 0 }), undefined);
    await assert.rejects(doc.read("n", { at: 99 }), { code: "OutOfRange" });
    await assert.rejects(doc.read("n", { at: -1 }), { code: "InvalidInput" });
    const commits = [];
    for await (const { commit, time, ops } of doc.history("n", { from: 2 })) {
      assert.ok(time instanceof Date && Math.abs(time - Date.now()) < 600_000);
      commits.push([commit, ops]);
    }
    assert.deepEqual(commits[0], [2, [{ op: "set", path: "n", value: 2 }]]);
    assert.deepEqual(commits.map(([commit]) => commit), [2, 3, 4, 5]);
    const backward = [];
    for await (const { commit } of doc.history("", { backward: true })) backward.push(commit);
    assert.deepEqual(backward, [6, 5, 4, 3, 2, 1]);
    assert.deepEqual(await doc.diff("n", 1, 3), [{ op: "set", path: "n", value: 3 }]);
    assert.deepEqual(await doc.diff("n", 3, 0), [{ op: "delete", path: "n" }]);
    const all = await doc.snapshot();
    assert.deepEqual(all, { commit: 6, horizon: 0, removedRows: 0 });
    assert.equal(await doc.read("n", { at: 1 }), 1);
    await assert.rejects(doc.snapshot({ keep: { thin: 1 } }), { code: "InvalidInput" });
    // An hour is longer than this test takes.
    assert.equal((await doc.snapshot({ keep: { for: 3_600_000 } })).horizon, 0);
    const few = await doc.snapshot({ keep: { last: 2 } });
    assert.deepEqual([few.horizon, few.removedRows > 0], [5, true]);
    assert.equal(await doc.read("n", { at: 5 }), 5);
    await assert.rejects(doc.read("n", { at: 4 }), { code: "OutOfRange" });
    assert.equal(await doc.read("n"), 5);
  }));

test("a history of many pages is told whole, in both directions", () =>
  withStore(async (doc) => {
    await Promise.all(Array.from({ length: 450 }, (_, n) => doc.set("n", n)));
    for (const backward of [false, true]) {
      const told = [];
      for await (const { commit } of doc.history("n", { backward })) told.push(commit);
      const all = Array.from({ length: 450 }, (_, i) => i + 1);
      assert.deepEqual(told, backward ? all.reverse() : all);
    }
  }));

test("a watch tells the state and then every commit that touches it, once and in order", () =>
  withStore(async (doc) => {
    await doc.set("a", { x: 1, y: 1 });
    const told = [];
    const watching = (async () => {
      for await (const event of doc.watch("a.*")) {
        told.push(event);
        if (event.event === "change" && event.ops.some(({ value }) => value === "end")) return;
      }
    })();
    while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(told[0], { event: "state", commit: 1, missed: 0, values: [{ path: "a.x", value: 1 }, { path: "a.y", value: 1 }] });
    await Promise.all(Array.from({ length: 150 }, (_, n) => doc.set(n % 3 === 0 ? "b" : "a.x", n)));
    await doc.set("a.z", "end");
    await watching;
    const changes = told.slice(1);
    assert.equal(changes.length, 101);
    assert.deepEqual(changes.map(({ commit }) => commit), changes.map(({ commit }) => commit).sort((a, b) => a - b));
    assert.ok(changes.every(({ behind, time }) => behind >= 0 && time instanceof Date));
    // From a commit before, and ended by a signal.
    const ended = new AbortController();
    const again = doc.watch("a.x", { from: 1, signal: ended.signal });
    assert.equal((await again.next()).value.commit, 1);
    assert.ok((await again.next()).value.commit > 1);
    await again.return();
    const never = doc.watch("never", { signal: ended.signal });
    assert.deepEqual((await never.next()).value.values, []);
    const waiting = assert.rejects(never.next(), { name: "AbortError" });
    ended.abort();
    await waiting;
    await assert.rejects(doc.watch("a", { from: 9999 }).next(), { code: "OutOfRange" });
  }));

test("a watch ends with an error when the store is closed", async () => {
  const place = folder();
  const store = await open("w", { path: place.file("w") });
  const watch = store.doc.watch("a");
  await watch.next();
  const waiting = assert.rejects(watch.next(), { code: "Closed" });
  await store.close();
  await waiting;
  place.remove();
});

test("participants change several places as one commit, or nothing", () =>
  withStore(async (doc) => {
    await doc.set("", { ann: 5, bo: 0 });
    const by = (n) => ({ ops: [{ op: "increment", path: "", by: n }] });
    const begun = await doc.begin(2, { meta: { why: "rent" } });
    const same = doc.transaction(begun.id);
    const waiting = begun.join("ann", by(-3), { match: { $ge: 3 } });
    while ((await same.look()).joined === 0);
    assert.deepEqual(await same.look(), { joined: 1, participants: 2, meta: { why: "rent" } });
    await assert.rejects(same.join("ann", by(1)), { code: "InvalidInput", message: /overlaps/ });
    const bo = await same.join("bo", by(3));
    assert.deepEqual(bo, { committed: true, matched: true, commit: 2, value: 3 });
    assert.equal((await waiting).value, 2);
    assert.deepEqual(await same.outcome("ann"), await waiting);
    // A match that does not hold.
    const poor = await doc.begin(1);
    const outcome = await poor.join("ann", by(-3), { match: { $ge: 3 } });
    assert.deepEqual(outcome, { committed: false, matched: false, commit: 2, value: 2 });
    // A patch that cannot be applied.
    const refused = await (await doc.begin(1)).join("ann", { ops: [{ op: "append", path: "", values: [1] }] });
    assert.equal(refused.refused.path, "ann");
    // Too late, given up, never there.
    const late = await doc.begin(2, { timeout: 50 });
    await assert.rejects(late.join("ann", by(1)), { code: "Timeout" });
    const aborted = await doc.begin(2);
    const ends = assert.rejects(aborted.join("ann", by(1)), { code: "Conflict" });
    while ((await aborted.look()).joined === 0);
    await aborted.abort();
    await ends;
    await assert.rejects(doc.transaction(4711).look(), { code: "NotFound" });
    await assert.rejects(doc.begin(0), { code: "InvalidInput" });
    assert.deepEqual(await doc.read(""), { ann: 2, bo: 3 });
  }));

test("a scope is changed on its own, and promoted or dropped", () =>
  withStore(async (doc) => {
    await doc.set("berth", 7);
    const draft = await doc.scope("draft");
    assert.deepEqual([draft.name, draft.base], ["draft", 1]);
    await draft.patch("", { berth: 8 }, { match: { berth: 7 } });
    assert.deepEqual([await draft.read("berth"), await doc.read("berth"), await doc.read("berth", { scope: "draft" })], [8, 7, 8]);
    assert.deepEqual(await draft.diff("", draft.base, await draft.currentCommit()), [{ op: "set", path: "berth", value: 8 }]);
    assert.equal((await draft.watch("berth").next()).value.values[0].value, 8);
    assert.deepEqual(await doc.scopes(), ["draft"]);
    const other = await doc.scope("other");
    await other.set("berth", 9, { match: 7 });
    assert.equal(await draft.promote(), 2);
    assert.equal(await doc.read("berth"), 8);
    await assert.rejects(draft.read("berth"), { code: "NotFound" });
    await assert.rejects(other.promote(), { code: "Conflict" });
    await other.drop();
    await assert.rejects(other.drop(), { code: "NotFound" });
    assert.deepEqual(await doc.scopes(), []);
  }));

test("the command line and Node change the same document in turn", async () => {
  const place = folder();
  const path = place.file("s");
  const a = await open("s", { path });
  await a.doc.set("from", { node: 1 });
  await a.close();
  assert.equal(littoral("--store", path, "doc", "get", "from.node"), "1");
  littoral("--store", path, "doc", "set", "from.cli", "2");
  const b = await open("s", { path });
  assert.deepEqual(await b.doc.read("from"), { node: 1, cli: 2 });
  assert.equal(await b.doc.currentCommit(), 2);
  await b.close();
  place.remove();
});

test("a process that is killed while it changes the document has every acknowledged change, once", async () => {
  const place = folder();
  let least = 0;
  for (let round = 0; round < 3; round++) {
    const child = fork(here("tests/doc-writer.mjs"), [place.file("k")], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    let acknowledged = 0;
    child.on("message", (count) => (acknowledged = count));
    await once(child, "message");
    await new Promise((resolve) => setTimeout(resolve, 60 + round * 31));
    child.kill("SIGKILL");
    await once(child, "exit");
    const store = await open("k", { path: place.file("k") });
    const { n, list } = await store.doc.read("");
    assert.ok(n >= acknowledged && acknowledged > least, `${n} of ${acknowledged}`);
    assert.equal(list.length, n);
    assert.equal(await store.doc.currentCommit(), n);
    least = n;
    await store.close();
  }
  place.remove();
});

test("paths are typed by the caller's own type", () => {
  const place = folder();
  const program = (body) => `
    import { type Doc, type Store, link } from ${JSON.stringify(here("dist/index.js"))};
    interface Boat { name: string; berth?: number; crew: string[]; log: Record<number, { at: string }> }
    interface Harbour { boats: Record<string, Boat>; name: string; flag: "up" | "down" }
    declare const store: Store;
    const doc = store.doc.as<Harbour>();
    const name: Promise<string | undefined> = doc.read("name");
    const boat: Promise<Boat | undefined> = doc.read("boats.ebb");
    const berth: Promise<number | undefined> = doc.read("boats.ebb.berth");
    const crew: Promise<string | undefined> = doc.read("boats.ebb.crew[0]");
    const at: Promise<string | undefined> = doc.read("boats.ebb.log{7}.at");
    const root: Promise<Harbour | undefined> = doc.read("");
    const loose = doc.read(String(Math.random()));
    void doc.patch("boats.ebb", { berth: null, crew: ["Ann"] });
    void doc.patch("", { flag: "up", boats: { ebb: { name: "Ebb" } } }, { match: { flag: { $not: "up" } } });
    void doc.patch("boats", { ops: [{ op: "delete", path: "ebb" }] });
    void doc.patch("boats", { jsonPatch: [{ op: "remove", path: "/ebb" }] });
    void doc.set("name", "Littoral");
    void store.doc.patch("any.path", { at: [1, 2n, null, link("")] });
    void store.doc.set("any", new Uint8Array());
    async function all() {
      for await (const event of doc.watch("boats.*")) if (event.event === "state") event.values; else event.ops[0]?.op;
      const outcome = await doc.transaction(1).join("name", "x");
      const value: string | undefined = outcome.value;
      const scoped: string | undefined = await (await doc.scope("draft")).read("name");
      return [value, scoped, name, boat, berth, crew, at, root, loose];
    }
    void all;
    ${body}
  `;
  const check = (name, body) => {
    const file = place.file(`${name}.ts`);
    writeFileSync(file, program(body));
    const tsc = here("node_modules/typescript/bin/tsc");
    const options = "--noEmit --strict --exactOptionalPropertyTypes --target es2022 --module nodenext --moduleResolution nodenext --lib es2023,esnext.disposable,dom,dom.asynciterable --ignoreConfig".split(" ");
    try {
      execFileSync(process.execPath, [tsc, ...options, file], { encoding: "utf8", cwd: place.path });
      return "";
    } catch (error) {
      return error.stdout;
    }
  };
  assert.equal(check("right", ""), "");
  const wrong = check("wrong", `
    void doc.set("name", 7);
    void doc.set("flag", "sideways");
    void doc.patch("boats.ebb", { berth: "seven" });
    const no: Promise<number | undefined> = doc.read("name");
    void no;
  `);
  assert.equal(wrong.match(/error TS/g)?.length, 4, wrong);
  place.remove();
});
