// `order.mjs MODULE.wasm`: names the module's functions so that, in the order of their names, those that are alike are neighbours.
//
// gzip finds again only what lies within 32 kB, and the compiler puts alike functions anywhere. Which function comes next: the one that shares
// most of its bytes, in runs of six, with those before it. `wasm-opt --reorder-functions-by-name` then puts them in that order.

import { readFile, writeFile } from "node:fs/promises";

/** Bytes in a run. */
const RUN = 6;
/** How far back gzip looks, with some room. */
const WINDOW = 24_000;
/** A run that more functions have says nothing. */
const COMMON = 200;
/** What a function's length counts more than it is: two short ones are easily alike. */
const SHORT = 20;

const [path] = process.argv.slice(2);
const module = await readFile(path);

/** An unsigned LEB128 at `at`, and where it ends. */
function number(at) {
  let value = 0;
  for (let shift = 1; ; shift *= 128) {
    const byte = module[at++];
    value += (byte & 127) * shift;
    if (byte < 128) return [value, at];
  }
}

function sections() {
  const found = new Map();
  for (let at = 8; at < module.length; ) {
    const id = module[at];
    const [length, start] = number(at + 1);
    found.set(id, start);
    at = start + length;
  }
  return found;
}

/** How many functions the module imports: they are numbered first. */
function imported(at) {
  let [count, functions] = [0, 0];
  [count, at] = number(at);
  const limits = () => {
    const flags = module[at++];
    for (let n = 0; n < 1 + (flags & 1); n++) [, at] = number(at);
  };
  while (count-- > 0) {
    for (let text = 0; text < 2; text++) {
      const [length, start] = number(at);
      at = start + length;
    }
    const kind = module[at++];
    if (kind === 0) {
      functions++;
      [, at] = number(at);
    } else if (kind === 1) {
      at++;
      limits();
    } else if (kind === 2) limits();
    else if (kind === 3) at += 2;
    else throw new Error(`an import of kind ${kind}`);
  }
  return functions;
}

function bodies(at) {
  let count = 0;
  [count, at] = number(at);
  return Array.from({ length: count }, () => {
    const [length, start] = number(at);
    at = start + length;
    return module.subarray(start, at);
  });
}

/** The different runs of a body, as numbers. */
function runs(body) {
  const found = new Set();
  for (let at = 0; at + RUN <= body.length; at++) found.add(body.readUIntBE(at, RUN));
  return [...found];
}

function order(bodies) {
  const owners = new Map();
  let known = bodies.map(runs);
  known.forEach((runs, index) => {
    for (const run of runs) {
      const all = owners.get(run);
      if (all === undefined) owners.set(run, [index]);
      else all.push(index);
    }
  });
  const telling = (run) => {
    const { length } = owners.get(run);
    return length > 1 && length <= COMMON;
  };
  known = known.map((runs) => runs.filter(telling));

  const shared = new Float64Array(bodies.length);
  const inWindow = new Map();
  const count = (index, step) => {
    for (const run of known[index]) {
      const before = inWindow.get(run) ?? 0;
      inWindow.set(run, before + step);
      if (before + Math.min(step, 0) === 0) for (const owner of owners.get(run)) shared[owner] += step;
    }
  };
  const ordered = [];
  const left = new Set(bodies.keys());
  let [size, oldest] = [0, 0];
  // The largest first.
  let next = bodies.reduce((best, body, index) => (body.length > bodies[best].length ? index : best), 0);
  while (true) {
    ordered.push(next);
    left.delete(next);
    if (left.size === 0) return ordered;
    count(next, 1);
    for (size += bodies[next].length; size > WINDOW && oldest + 1 < ordered.length; oldest++) {
      count(ordered[oldest], -1);
      size -= bodies[ordered[oldest]].length;
    }
    let best = -1;
    for (const index of left) {
      const alike = shared[index] / (bodies[index].length + SHORT);
      if (alike > best) [best, next] = [alike, index];
    }
  }
}

/** A section of names. */
function names(first, ordered) {
  const leb = (value) => {
    const bytes = [];
    for (; value > 127; value = Math.floor(value / 128)) bytes.push((value & 127) | 128);
    return [...bytes, value];
  };
  const text = (text) => [...leb(text.length), ...Buffer.from(text)];
  const named = ordered.map((index, place) => [index, String(place).padStart(6, "0")]);
  named.sort(([a], [b]) => a - b);
  const map = [...leb(named.length), ...named.flatMap(([index, name]) => [...leb(first + index), ...text(name)])];
  const content = [...text("name"), 1, ...leb(map.length), ...map];
  return Buffer.from([0, ...leb(content.length), ...content]);
}

const found = sections();
const ordered = order(bodies(found.get(10)));
await writeFile(path, Buffer.concat([module, names(imported(found.get(2)), ordered)]));
