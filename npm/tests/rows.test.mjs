// The rows of IndexedDB under random writes, cuts, reads and syncs, beside plain bytes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Rows } from "../../host-browser/js/rows.js";

/** Random numbers below `n` that are the same for a seed. */
function random(seed) {
  let state = seed * 2 + 1;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** What a transaction does to the database. */
function store(database, changes) {
  for (const { start, bytes, end, keep } of changes) {
    if (bytes) database.set(start, bytes.slice());
    else if (end !== undefined) for (const key of [...database.keys()]) key >= start && key < end && database.delete(key);
    else if (database.get(start)?.length > keep) database.set(start, database.get(start).slice(0, keep));
  }
}

/** What rows give for a range; `of` gives a row's bytes. */
function read(rows, from, to, of) {
  const into = new Uint8Array(to - from);
  for (const row of rows.between(from, to)) {
    row.used = true;
    const bytes = of(row);
    for (let i = 0; i < bytes.length; i++) if (row.start + i >= from && row.start + i < to) into[row.start + i - from] = bytes[i];
  }
  return into;
}

/** Bytes of a write, and most that are kept. */
const PIECE = 16;
const MOST = 200;

function run(seed) {
  const below = random(seed);
  const rows = new Rows([], MOST);
  const database = new Map();
  let model = new Uint8Array();
  let changes = [];
  /** Reads that have been answered, and are not kept yet. */
  let answered = [];
  for (let step = 0; step < 400; step++) {
    switch (below(7)) {
      case 0:
      case 1: {
        // Whole pieces, as the core writes them: behind the end, or where one of them is.
        const at = PIECE * below(model.length / PIECE + 2);
        const bytes = Uint8Array.from({ length: PIECE }, () => below(256));
        const longer = new Uint8Array(Math.max(model.length, at + PIECE));
        longer.set(model);
        longer.set(bytes, at);
        model = longer;
        changes.push(...rows.write(at, bytes));
        break;
      }
      case 2:
        if (below(4) === 0) {
          model = model.slice(0, below(model.length + 1));
          changes.push(...rows.cut(model.length));
        }
        break;
      case 3:
        store(database, changes);
        rows.stored(changes);
        changes = [];
        break;
      case 4: {
        const from = below(model.length + 1);
        const to = from + below(model.length - from + 1);
        // Nobody waits for what is in memory. The database may be behind: what was cut off is in it still.
        const missing = rows.between(from, to).filter((row) => row.bytes === undefined);
        for (const row of missing) assert.ok(database.has(row.start), `seed ${seed}, step ${step}: no row at ${row.start}`);
        const found = new Map(missing.map((row) => [row, rows.own(row, database.get(row.start))]));
        answered.push(...found);
        assert.deepEqual(read(rows, from, to, (row) => row.bytes ?? found.get(row)), model.slice(from, to), `seed ${seed}, step ${step}`);
        break;
      }
      case 5:
        if (below(20) === 0) rows.forget();
        break;
      default:
        for (const [row, bytes] of answered) rows.keep(row, bytes);
        answered = [];
    }
    const { rows: count, bytes, round } = rows.weight;
    // Places of rows that are gone are taken away with the next one that is kept.
    assert.ok(bytes <= MOST && bytes >= 0 && count <= round && round <= 2 * (MOST / PIECE) + 64, JSON.stringify(rows.weight));
  }
}

test("what is kept of rows is what is in them, and no more than there is room for", () => {
  for (let seed = 0; seed < 300; seed++) run(seed);
});
