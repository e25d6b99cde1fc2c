// What people say of their files, kept in the store's document: so that there is a history to look at.

import { type Doc, type Link, type Store, link } from "littoral";
import type { Card } from "./shelf.js";

/** What the document says of a file. */
export interface Entry {
  name: string;
  size: number;
  blob: Link;
  caption?: string;
}

interface Book {
  files: Record<string, Entry>;
}

/** Says `change` when a caption is new, whichever tab wrote it. */
export class Logbook extends EventTarget {
  readonly doc: Doc<Book>;
  #files: Record<string, Entry> = {};

  constructor(store: Store) {
    super();
    this.doc = store.doc.as<Book>();
    void this.#follow().catch((error) => error?.code === "Closed" || console.error(error));
  }

  caption(id: string): string {
    return this.#files[id]?.caption ?? "";
  }

  /** A file came. */
  async added(id: string, { name, size, blob }: Card): Promise<void> {
    await this.doc.patch("files", { [id]: { name, size, blob: link(blob) } });
  }

  /** A file went. */
  async removed(id: string): Promise<void> {
    await this.doc.patch("files", { [id]: null });
  }

  /** Says this of a file, also of one that came from another device; nothing takes it away. */
  async describe(id: string, { name, size, blob }: Card, caption: string): Promise<void> {
    await this.doc.patch("files", { [id]: { name, size, blob: link(blob), caption: caption || null } });
  }

  async #follow(): Promise<void> {
    for await (const _ of this.doc.watch("files")) {
      this.#files = (await this.doc.read("files")) ?? {};
      this.dispatchEvent(new Event("change"));
    }
  }
}
