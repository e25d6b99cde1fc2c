// The document as it was: a slider over its commits, the tree after each, and what it changed.

import type { Commit, Doc, Op } from "littoral";
import { h, setText } from "./dom.js";
import { announce } from "./notice.js";
import { ago, count } from "./words.js";

/** Fields and elements that are shown of one container. */
const ROWS = 100;

/** Shows one commit of a document. */
export class History {
  readonly element: HTMLElement;
  #doc: Doc<any>;
  #slider = h("input", { type: "range", id: "commit", min: 0, max: 0, value: 0, step: 1, "aria-describedby": "commit-what" });
  #earlier = h("button", { type: "button", class: "round", "aria-label": "Earlier commit" }, "‹");
  #later = h("button", { type: "button", class: "round", "aria-label": "Later commit" }, "›");
  #what = h("p", { class: "what", id: "commit-what" });
  #ops = h("ul", { class: "ops", "aria-label": "What the commit did" });
  #tree = h("div", { class: "tree", role: "region", "aria-label": "The document after the commit", tabindex: 0 });
  #last = -1;
  #asked = 0;

  constructor(doc: Doc<any>) {
    this.#doc = doc;
    this.element = h(
      "div",
      { class: "history" },
      h("label", { for: "commit" }, "Commit"),
      h("div", { class: "when" }, this.#earlier, this.#slider, this.#later),
      this.#what,
      this.#ops,
      this.#tree,
    );
    this.#slider.addEventListener("input", () => void this.#show(false));
    const step = (by: number) => {
      this.#slider.value = String(Number(this.#slider.value) + by);
      void this.#show(true);
    };
    this.#earlier.addEventListener("click", () => step(-1));
    this.#later.addEventListener("click", () => step(1));
  }

  /** Takes in what was committed meanwhile; whoever looks at the last one goes on with it. */
  async look(): Promise<void> {
    const last = await this.#doc.currentCommit();
    if (last === this.#last) return;
    const follows = Number(this.#slider.value) === Math.max(0, this.#last);
    this.#last = last;
    this.#slider.max = String(last);
    if (follows) this.#slider.value = String(last);
    await this.#show(false);
  }

  async #show(stepped: boolean): Promise<void> {
    const asked = ++this.#asked;
    const number = Number(this.#slider.value);
    const [commit, before, now] = await Promise.all([
      this.#commit(number),
      number > 0 ? this.#doc.read("", { at: number - 1 }) : {},
      this.#doc.read("", { at: number }),
    ]);
    // Somebody has moved on.
    if (asked !== this.#asked) return;
    const said = commit ? commit.ops.map(words) : ["nothing yet: the document is empty"];
    const where = `Commit ${number} of ${this.#last}${commit ? `, ${ago(commit.time)}` : ""}`;
    setText(this.#what, where);
    this.#slider.setAttribute("aria-valuetext", `${number} of ${this.#last}: ${said.join("; ")}`);
    this.#earlier.disabled = number === 0;
    this.#later.disabled = number === this.#last;
    this.#ops.replaceChildren(...said.map((text) => h("li", {}, text)));
    this.#tree.replaceChildren(...branch(before, now));
    // The slider says it by itself.
    if (stepped) announce(`${where}: ${said.join("; ")}`);
  }

  async #commit(number: number): Promise<Commit | undefined> {
    for await (const commit of this.#doc.history("", { from: number, to: number })) return commit;
    return undefined;
  }
}

/** One operation, for a person. */
function words(op: Op): string {
  const at = (path: string) => path || "the root";
  switch (op.op) {
    case "set":
      return `set ${at(op.path)} to ${brief(op.value)}`;
    case "delete":
      return `removed ${at(op.path)}`;
    case "splice":
      return `${op.remove > 0 ? `removed ${op.remove}, ` : ""}inserted ${count(op.insert.length, "value")} at ${at(op.path)}[${op.at}]`;
    case "append":
      return `appended ${op.values.map((value) => brief(value)).join(", ")} to ${at(op.path)}`;
    case "increment":
      return `added ${op.by} to ${at(op.path)}`;
    case "move":
      return `moved ${at(op.from)} to ${at(op.to)}`;
    case "test":
      return `found ${at(op.path)} as expected`;
  }
}

type Mark = "new" | "changed" | "gone" | "";

/** What is in a container, and what is not any more. */
function branch(before: unknown, now: unknown): HTMLElement[] {
  const [old, fresh] = [fields(before), fields(now)];
  const names = [...new Set([...Object.keys(fresh), ...Object.keys(old)])];
  const rows = names.slice(0, ROWS).map((name) => row(name, name in old, old[name], name in fresh, fresh[name]));
  if (names.length > ROWS) rows.push(h("p", { class: "quiet" }, `and ${count(names.length - ROWS, "more", "more")}`));
  return rows.length > 0 ? rows : [h("p", { class: "quiet" }, "Nothing is in it.")];
}

function row(name: string, was: boolean, before: unknown, is: boolean, now: unknown): HTMLElement {
  const value = is ? now : before;
  const mark: Mark = !was ? "new" : !is ? "gone" : brief(before, true) === brief(now, true) ? "" : "changed";
  const told = mark && h("span", { class: "mark" }, mark);
  const key = h("span", { class: "key" }, name);
  if (!isContainer(value)) {
    const text = h("span", { class: "value" }, brief(value));
    return h("div", { class: `leaf ${mark}` }, key, text, told || undefined);
  }
  const title = typeof (value as { name?: unknown }).name === "string" ? (value as { name: string }).name : brief(value);
  const from = mark === "gone" ? value : mark === "new" ? undefined : before;
  return h(
    "details",
    { class: mark, open: mark !== "" },
    h("summary", {}, key, h("span", { class: "value" }, title), told || undefined),
    ...branch(from, value),
  );
}

function isContainer(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array) && !("/" in value);
}

function fields(value: unknown): Record<string, unknown> {
  return isContainer(value) ? (value as Record<string, unknown>) : {};
}

/** A value in a few characters; `whole` to compare. */
function brief(value: unknown, whole = false): string {
  if (value instanceof Uint8Array) return whole ? String(value) : count(value.length, "byte");
  if (!whole && Array.isArray(value)) return count(value.length, "element");
  if (!whole && isContainer(value)) return count(Object.keys(value).length, "field");
  if (!whole && typeof value === "object" && value !== null) return `blob ${String((value as { "/"?: unknown })["/"]).slice(0, 12)}…`;
  const text = JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}n` : inner instanceof Uint8Array ? [...inner] : inner));
  return whole || text.length <= 60 ? text : `${text.slice(0, 58)}…"`;
}
