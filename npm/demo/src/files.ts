// The grid of files, and how files get into it.

import { byId, h, icon, setText } from "./dom.js";
import { announce, banner, note } from "./notice.js";
import { Preview } from "./preview.js";
import { samples } from "./samples.js";
import { type Item, type Place, type Shelf, said } from "./shelf.js";
import { ago, bytes, count } from "./words.js";

const PLACES: Record<Place, { label: string; path: string }> = {
  saving: { label: "Saving", path: "M10 3v9m-4-4 4 4 4-4M4 16h12" },
  here: { label: "Here", path: "M3 5h14v8H3zM7 17h6m-3-4v4" },
  uploading: { label: "Uploading", path: "M10 15V5m-4 4 4-4 4 4M4 17h12" },
  both: { label: "Here and there", path: "m3 10.5 4 4 5-7m0 7 5-7" },
  there: { label: "There", path: "M6 15a3.5 3.5 0 0 1-.4-7 4.6 4.6 0 0 1 8.9 0 3.5 3.5 0 0 1-.5 7z" },
  refused: { label: "Refused", path: "M10 4v7m0 4v.5M3 17 10 3l7 14z" },
};

interface Shown {
  element: HTMLElement;
  place: HTMLElement;
  said: HTMLElement;
  button: HTMLButtonElement;
}

/** Shows a shelf as a grid. */
export class Files {
  #shelf: Shelf;
  #preview: Preview;
  #shown = new Map<string, Shown>();

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
    this.#preview = new Preview(shelf);
    shelf.addEventListener("change", () => this.show());
    const picker = byId<HTMLInputElement>("picker");
    picker.addEventListener("change", () => {
      void this.add([...(picker.files ?? [])]);
      picker.value = "";
    });
    for (const id of ["add", "add-first"]) byId(id).addEventListener("click", () => picker.click());
    byId("samples").addEventListener("click", () => void samples().then((files) => this.add(files)));
    addEventListener("paste", (event) => void this.add([...(event.clipboardData?.files ?? [])]));
    this.#takeDrops();
  }

  async add(files: File[]): Promise<void> {
    if (files.length === 0) return;
    announce(`Keeping ${count(files.length, "file")}.`);
    try {
      await this.#shelf.add(files);
      banner(undefined);
      announce(`${count(files.length, "file")} kept in this browser.`);
    } catch (error) {
      banner(`Not everything could be kept. ${said(error)}`);
    }
  }

  show(): void {
    const items = this.#shelf.sorted;
    const list = byId("files");
    byId("empty").hidden = items.length > 0;
    list.hidden = items.length === 0;
    byId("add").hidden = items.length === 0;
    const size = items.reduce((sum, { card }) => sum + card.size, 0);
    setText(byId("shelf-count"), items.length > 0 ? `${count(items.length, "file")}, ${bytes(size)}` : "");
    const gone = new Set(this.#shown.keys());
    let before: Element | null = list.firstElementChild;
    for (const item of items) {
      gone.delete(item.id);
      const shown = this.#shown.get(item.id) ?? this.#make(item);
      this.#place(shown, item);
      if (shown.element === before) before = before.nextElementSibling;
      else list.insertBefore(shown.element, before);
    }
    for (const id of gone) {
      const element = this.#shown.get(id)?.element;
      const focused = element?.contains(document.activeElement);
      const next = element?.nextElementSibling ?? element?.previousElementSibling;
      element?.remove();
      this.#shown.delete(id);
      // Whoever uses the keyboard goes on from here.
      if (focused) (next?.querySelector("button") ?? byId("shelf")).focus();
    }
  }

  #make(item: Item) {
    const { card } = item;
    const place = h("span", { class: "place" });
    const said = h("span", { class: "said" });
    const picture = card.picture
      ? h("img", { src: card.picture, alt: "", loading: "lazy", decoding: "async" })
      : h("span", { class: card.words ? "words" : "kind" }, card.words ?? kind(card.name));
    const button = h(
      "button",
      { type: "button", class: "file", onclick: () => void this.#preview.show(item) },
      h("span", { class: "picture", "aria-hidden": true }, picture),
      h("span", { class: "name" }, card.name),
      said,
      h("span", { class: "about" }, h("span", {}, `${bytes(card.size)} · ${ago(new Date(card.added))}`), place),
    );
    const made = { element: h("li", {}, button), place, said, button };
    this.#shown.set(item.id, made);
    return made;
  }

  #place({ place, said, button }: Shown, item: Item): void {
    setText(said, this.#shelf.logbook.caption(item.id));
    button.disabled = item.place === "saving";
    if (place.dataset.place === item.place) return;
    const { label, path } = PLACES[item.place];
    place.dataset.place = item.place;
    place.title = item.trouble ?? "";
    place.replaceChildren(icon(path), label);
  }

  #takeDrops(): void {
    const drop = byId("drop");
    const withFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    let depth = 0;
    const end = () => {
      depth = 0;
      drop.hidden = true;
    };
    addEventListener("dragenter", (event) => {
      if (!withFiles(event)) return;
      event.preventDefault();
      depth++;
      drop.hidden = false;
    });
    addEventListener("dragleave", (event) => withFiles(event) && --depth <= 0 && end());
    addEventListener("dragover", (event) => withFiles(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!withFiles(event)) return;
      event.preventDefault();
      end();
      const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry?.());
      const files = [...(event.dataTransfer?.files ?? [])].filter((_, i) => !entries[i]?.isDirectory);
      if (entries.some((entry) => entry?.isDirectory)) note("Folders are left out: drop the files in them.");
      void this.add(files);
    });
  }
}

/** What stands on the card of a file without a picture. */
function kind(name: string): string {
  const ending = name.includes(".") ? (name.split(".").at(-1) ?? "") : "";
  return ending.length > 0 && ending.length <= 5 ? ending : "file";
}
