// The second view: what the store is made of and what it is doing.

import type { QueueItem, Stats, Status, Store } from "littoral";
import { byId, calmly, h } from "./dom.js";
import type { Network } from "./network.js";
import { History } from "./history.js";
import { note } from "./notice.js";
import { said } from "./shelf.js";
import { ago, bytes, count } from "./words.js";

/** Rows of a table that are shown, */
const ROWS = 50;
/** and that are looked at; a store may have a million. */
const LOOKED = 5000;
const PAUSE = 500;

type Row = [term: string, value: string | Node];

/** Shows a store's inside, as long as it is looked at. */
export class Inspector {
  #store: Store;
  #network: Network;
  #status: Status | undefined;
  #open = false;
  #history: History;
  #panels: Record<"storage" | "queue" | "engine" | "blobs", HTMLElement>;
  readonly look: () => void;

  constructor(store: Store, network: Network) {
    this.#store = store;
    this.#network = network;
    this.#history = new History(store.doc);
    this.look = calmly(() => (this.#open ? this.#look() : Promise.resolve()), PAUSE);
    this.#panels = { storage: h("div"), queue: h("div"), engine: h("div"), blobs: h("div") };
    byId("panels").replaceChildren(
      panel("Storage", this.#panels.storage, [
        this.#action("Keep it for good", () => this.#persist()),
        this.#action("Download the store", () => this.#download()),
      ]),
      panel("Queue", this.#panels.queue, [
        this.#action("Upload now", () => this.#sync()),
        this.#action("Try refused ones again", () => this.#retry()),
      ]),
      panel("Engine", this.#panels.engine, [
        this.#action("Verify everything", () => this.#verify()),
        this.#action("Give back free space", () => this.#reclaim()),
      ]),
      panel("Document", this.#history.element, [this.#action("Write a snapshot", () => this.#snapshot())]),
      panel("Blobs", this.#panels.blobs, []),
    );
  }

  told(status: Status): void {
    this.#status = status;
    this.look();
  }

  /** Looked at, or not. */
  show(open: boolean): void {
    this.#open = open;
    this.look();
  }

  async #look(): Promise<void> {
    const [stats, room, queue, blobs] = await Promise.all([
      this.#store.stats(),
      this.#store.quota(),
      first(this.#store.queue(), LOOKED),
      first(this.#store.blobs.list({ here: true }), LOOKED),
      this.#history.look(),
    ]);
    this.#panels.storage.replaceChildren(facts(this.#storage(stats, room)));
    this.#panels.queue.replaceChildren(facts(this.#queue()), queueTable(queue));
    this.#panels.engine.replaceChildren(facts(engine(stats)));
    this.#panels.blobs.replaceChildren(
      facts([["Here", `${blobs.length === LOOKED ? "at least " : ""}${count(blobs.length, "blob")}, ${bytes(blobs.reduce((sum, { size }) => sum + size, 0))}`]]),
      blobTable(blobs, queue, this.#network.remoteUrl !== undefined),
    );
  }

  #storage(stats: Stats, room: Awaited<ReturnType<Store["quota"]>>): Row[] {
    const { backend, why, lost } = this.#store.storageMode;
    const names = { opfs: "OPFS, one file", indexeddb: "IndexedDB, one table", memory: "memory only", file: "a file" };
    const rows: Row[] = [["Kept in", names[backend] + (why ? ` (${why})` : "")]];
    if (lost) rows.push(["Lost", "the store was here before and was deleted by somebody, or by the browser"]);
    rows.push(["Its file", gauge(stats.sizeInUse, stats.size, "in use")]);
    if (room) {
      rows.push(["This origin", gauge(room.usage, room.quota, "of the browser's room")]);
      rows.push(["Eviction", room.persisted ? "never: the browser promised to keep it" : "possible when the disk is full"]);
    }
    return rows;
  }

  #queue(): Row[] {
    const status = this.#status;
    if (!status) return [];
    const rows: Row[] = [
      ["Remote", this.#network.remoteUrl ?? "none"],
      ["Doing", status.phase + (status.reason ? `: ${status.reason.message}` : "")],
      ["Waiting", `${count(status.count, "change")}, ${bytes(status.bytes)}${status.oldest ? `, oldest ${ago(status.oldest)}` : ""}`],
      ["On their way", String(status.active)],
      ["Uploaded", `${count(status.uploaded, "blob")}, ${bytes(status.uploadedBytes)} since it was opened`],
      ["Fetched", `${count(status.fetched, "blob")}, ${bytes(status.fetchedBytes)} since it was opened`],
    ];
    if (status.lastError && status.lastError.message !== status.reason?.message) rows.push(["Last error", status.lastError.message]);
    if (status.failed + status.missing > 0) rows.push(["In trouble", `${status.failed} refused, ${status.missing} missing here`]);
    return rows;
  }

  #action(label: string, work: () => Promise<string>): HTMLButtonElement {
    const button = h("button", { type: "button", class: "plain" }, label);
    button.addEventListener("click", () => {
      button.setAttribute("aria-disabled", "true");
      work()
        .then(note, (error) => note(said(error)))
        .finally(() => {
          button.removeAttribute("aria-disabled");
          this.look();
        });
    });
    return button;
  }

  async #verify(): Promise<string> {
    const { values, bytes: read, damage } = await this.#store.verify();
    const what = `${count(values, "value")}, ${bytes(read)} read`;
    return damage.length === 0 ? `Verified: ${what}, no damage.` : `${what}: ${count(damage.length, "damage")}. ${damage.join(" ")}`;
  }

  async #reclaim(): Promise<string> {
    return `${bytes(await this.#store.reclaim())} given back.`;
  }

  async #snapshot(): Promise<string> {
    const { commit } = await this.#store.doc.snapshot();
    return `The document up to commit ${commit} is in sorted tables.`;
  }

  async #sync(): Promise<string> {
    await this.#store.sync({ signal: AbortSignal.timeout(30_000) });
    return "Everything is on the remote.";
  }

  async #retry(): Promise<string> {
    return `${count(await this.#store.retryFailed(), "change")} tried again.`;
  }

  async #persist(): Promise<string> {
    return (await this.#store.persist()) ? "The browser keeps it for good." : "The browser did not promise to keep it.";
  }

  async #download(): Promise<string> {
    const url = URL.createObjectURL(await this.#store.export());
    h("a", { href: url, download: `${this.#store.name}.littoral` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    return "The store is one file: `littoral --store FILE ls` reads it.";
  }
}

function engine(stats: Stats): Row[] {
  const rows: Row[] = [
    ["Log", gauge(stats.logUsed, stats.logSize, "used")],
    ["Tables", `${stats.tables}, ${bytes(stats.tableBytes)}`],
    ["Packs", `${stats.packs}, ${bytes(stats.packBytes)}`],
    ["Memory", bytes(stats.memory)],
    ["Last commit", `${stats.commit.toLocaleString("en")}, durable ${stats.durableCommit.toLocaleString("en")}`],
  ];
  if (stats.error) rows.push(["In its way", stats.error.message]);
  if (stats.poisoned) rows.push(["Stopped", "a write failed: reload the page to recover"]);
  return rows;
}

function panel(title: string, content: HTMLElement, actions: HTMLElement[]): HTMLElement {
  const id = `panel-${title.toLowerCase()}`;
  return h(
    "section",
    { class: "panel", "aria-labelledby": id },
    h("h3", { id }, title),
    content,
    actions.length > 0 && h("p", { class: "choices" }, ...actions),
  );
}

function facts(rows: Row[]): HTMLElement {
  return h("dl", { class: "facts" }, ...rows.flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));
}

function gauge(used: number, whole: number, what: string): Node {
  const text = `${bytes(used)} of ${bytes(whole)} ${what}`;
  return h("span", { class: "gauge" }, h("meter", { min: 0, max: Math.max(1, whole), value: used, "aria-label": text }), text);
}

function queueTable(items: QueueItem[]): HTMLElement {
  if (items.length === 0) return h("p", { class: "quiet" }, "Nothing waits.");
  return table(
    items.length > ROWS ? `The oldest ${ROWS} of what waits` : "What waits, oldest first",
    ["Order", "Change", "What", "Size", "Since"],
    items.slice(0, ROWS).map(({ order, change, name, pointer, size, since, trouble }) => [
      String(order),
      change,
      h("span", { class: "mono", title: trouble?.message ?? "" }, name ?? short(pointer), trouble ? ` (${trouble.code})` : ""),
      size === undefined ? "" : bytes(size),
      ago(since),
    ]),
  );
}

function blobTable(blobs: { pointer: string; size: number }[], queue: QueueItem[], remote: boolean): HTMLElement {
  if (blobs.length === 0) return h("p", { class: "quiet" }, "None.");
  const waiting = new Set(queue.map(({ pointer }) => pointer));
  return table(
    blobs.length > ROWS ? `The first ${ROWS} by pointer` : "By pointer",
    ["SHA-256", "Size", "Remote"],
    blobs.slice(0, ROWS).map(({ pointer, size }) => [
      h("span", { class: "mono" }, short(pointer)),
      bytes(size),
      // Of a longer queue it is not known.
      !remote ? "none" : waiting.has(pointer) ? "waits" : queue.length < LOOKED ? "has it" : "",
    ]),
  );
}

function table(caption: string, heads: string[], rows: (string | Node)[][]): HTMLElement {
  return h(
    "div",
    { class: "table", role: "region", "aria-label": caption, tabindex: 0 },
    h(
      "table",
      {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, cell))))),
    ),
  );
}

function short(pointer = ""): string {
  return pointer.length > 16 ? `${pointer.slice(0, 12)}…` : pointer;
}

async function first<T>(items: AsyncIterable<T>, limit: number): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) {
    found.push(item);
    if (found.length === limit) break;
  }
  return found;
}
