// The shelf: what is on it, and how that is kept in the store.
//
// A file is a blob. Beside it there is a card, a small blob of JSON with its name and a thumbnail, and a root `shelf/ID` that
// points at the card. So every file is independent of the others, and two devices never contend for one list. What comes, what goes and what is said of a
// file is in the store's document as well, with its history.

import { type Pointer, type QueueItem, type Status, type Store, LittoralError } from "littoral";
import { calmly } from "./dom.js";
import { type Glimpse, glimpse } from "./glimpse.js";
import { Logbook } from "./logbook.js";

/** What a card says. */
export interface Card extends Glimpse {
  name: string;
  type: string;
  size: number;
  /** Milliseconds since 1970. */
  added: number;
  blob: Pointer;
}

/**
 * Where a file is: `saving` not durable yet; `here` in this browser, its upload waits; `uploading`; `both` here and on the
 * remote; `there` only on the remote; `refused` here, and the remote does not take it.
 */
export type Place = "saving" | "here" | "uploading" | "both" | "there" | "refused";

export interface Item {
  id: string;
  card: Card;
  pointer: Pointer | undefined;
  place: Place;
  /** What the remote said against it. */
  trouble?: string | undefined;
}

const PREFIX = "shelf/";
/** Puts at a time. */
const LANES = 4;
/** Between two looks at the queue, in milliseconds. */
const PAUSE = 150;

/** Says `change` when something about the files is new. */
export class Shelf extends EventTarget {
  readonly store: Store;
  readonly items = new Map<string, Item>();
  readonly logbook: Logbook;
  /** What is in the queue, by pointer and by root. */
  #queue = new Map<string, QueueItem>();
  #here = new Set<Pointer>();
  #status: Status | undefined;
  /** Other tabs with this shelf. */
  #others = new BroadcastChannel("shelf");
  readonly look: () => void;

  constructor(store: Store) {
    super();
    this.store = store;
    this.logbook = new Logbook(store);
    this.logbook.addEventListener("change", () => this.#changed());
    this.look = calmly(() => this.#look(), PAUSE);
    this.#others.onmessage = () => void this.load();
  }

  /** Newest first. */
  get sorted(): Item[] {
    return [...this.items.values()].sort((a, b) => b.card.added - a.card.added || (a.id < b.id ? 1 : -1));
  }

  /** Reads what is here; asks nobody. */
  async load(): Promise<void> {
    await this.#take(this.store.roots.list({ here: true }), true);
    await this.#look();
  }

  /** Reads what other devices have put on the remote. */
  async loadRemote(): Promise<void> {
    await this.#take(this.store.roots.list(), false);
    await this.#look();
  }

  async #take(roots: AsyncIterable<{ name: string; pointer: Pointer }>, all: boolean): Promise<void> {
    const found = new Set<string>();
    const reading: Promise<void>[] = [];
    for await (const { name, pointer } of roots) {
      if (!name.startsWith(PREFIX)) continue;
      const id = name.slice(PREFIX.length);
      found.add(id);
      if (this.items.get(id)?.pointer === pointer) continue;
      reading.push(
        this.store.blobs.text(pointer).then(
          (text) => void this.items.set(id, { id, card: cardOf(text), pointer, place: "both" }),
        ).catch((error) => console.warn(`the card ${id} cannot be read`, error)),
      );
    }
    await Promise.all(reading);
    if (!all) return;
    for (const [id, { place }] of this.items) {
      if (!found.has(id) && place !== "saving" && place !== "there") this.items.delete(id);
    }
  }

  /** Keeps these files; they are durable when this returns. Those that could not be kept are thrown together. */
  async add(files: File[], now = Date.now()): Promise<number> {
    const waiting = files.map((file, index) => ({ file, added: now + index }));
    const errors: unknown[] = [];
    const lane = async () => {
      for (let next; (next = waiting.shift()); ) {
        await this.#addOne(next.file, next.added).catch((error) => errors.push(error));
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    this.#others.postMessage("changed");
    if (errors.length > 0) throw errors[0];
    return files.length;
  }

  async #addOne(file: File, added: number): Promise<void> {
    const id = `${added.toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    const card: Card = {
      name: file.name || "without a name",
      type: file.type,
      size: file.size,
      added,
      blob: "",
      ...(await glimpse(file)),
    };
    const item: Item = { id, card, pointer: undefined, place: "saving" };
    this.items.set(id, item);
    this.#changed();
    try {
      card.blob = await this.store.blobs.put(file);
      item.pointer = await this.store.blobs.put(JSON.stringify(card));
      await this.store.roots.move(PREFIX + id, undefined, item.pointer);
      await this.logbook.added(id, card);
    } catch (error) {
      this.items.delete(id);
      this.#changed();
      throw error;
    }
    item.place = "here";
    this.look();
  }

  /** Takes a file off the shelf, here at once and on the remote in time. */
  async remove({ id, card, pointer }: Item): Promise<void> {
    if (!pointer) return;
    await this.store.roots.move(PREFIX + id, pointer, undefined);
    await this.logbook.removed(id);
    this.items.delete(id);
    // The same bytes may be on the shelf twice.
    const shared = [...this.items.values()].some((other) => other.card.blob === card.blob);
    await this.store.blobs.delete(pointer);
    if (!shared) await this.store.blobs.delete(card.blob);
    this.#others.postMessage("changed");
    this.#changed();
    this.look();
  }

  /** Takes over what the store is doing. */
  told(status: Status): void {
    const fetched = this.#status !== undefined && status.fetched !== this.#status.fetched;
    this.#status = status;
    if (fetched) this.#here.clear();
    this.look();
  }

  /** Where each file is now. */
  async #look(): Promise<void> {
    const queue = new Map<string, QueueItem>();
    for await (const item of this.store.queue()) {
      queue.set(item.change === "root" ? `root:${item.name}` : (item.pointer ?? `order:${item.order}`), item);
    }
    this.#queue = queue;
    if (this.#here.size === 0 || [...this.items.values()].some(({ card }) => !this.#here.has(card.blob))) {
      this.#here.clear();
      for await (const { pointer } of this.store.blobs.list({ here: true })) this.#here.add(pointer);
    }
    const uploading = new Set(
      this.#status?.phase === "working" ? [...queue.values()].slice(0, this.#status.active).map(({ order }) => order) : [],
    );
    for (const item of this.items.values()) {
      if (item.place === "saving") continue;
      const left = this.#left(item);
      const refused = left.find(({ trouble }) => trouble);
      item.trouble = refused?.trouble?.message;
      if (refused) item.place = "refused";
      else if (left.some(({ order }) => uploading.has(order))) item.place = "uploading";
      else if (left.length > 0) item.place = "here";
      else if (!this.#here.has(item.card.blob)) item.place = "there";
      else item.place = "both";
    }
    this.#changed();
  }

  /** What the remote has not acknowledged of this file. */
  #left({ id, card, pointer }: Item): QueueItem[] {
    return [card.blob, pointer ?? "", `root:${PREFIX}${id}`]
      .map((key) => this.#queue.get(key))
      .filter((found): found is QueueItem => found !== undefined && found.change !== "delete");
  }

  #changed(): void {
    this.dispatchEvent(new Event("change"));
  }
}

/** A card, which other devices may have written. */
function cardOf(text: string): Card {
  const card = JSON.parse(text);
  const { name, type, size, added, blob, picture = "data:image/", words = "" } = card ?? {};
  const fits =
    [name, type, words].every((field) => typeof field === "string") &&
    [size, added].every(Number.isFinite) &&
    /^[0-9a-f]{64}$/.test(blob) &&
    String(picture).startsWith("data:image/");
  if (!fits) throw new TypeError("it is none");
  return card;
}

/** What went wrong, for a person. */
export function said(error: unknown): string {
  if (error instanceof LittoralError && error.code === "Quota") {
    return "This browser has no room left for it. Remove something, or let the store keep more.";
  }
  return error instanceof Error ? error.message : String(error);
}
