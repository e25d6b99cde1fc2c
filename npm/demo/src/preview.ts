// One file, large.

import { byId, h, icon } from "./dom.js";
import { isText } from "./glimpse.js";
import { announce, note } from "./notice.js";
import { type Card, type Item, type Shelf, said } from "./shelf.js";
import { bytes } from "./words.js";

/** A text that is longer is shown up to here. */
const TEXT = 200_000;

export class Preview {
  #shelf: Shelf;
  #dialog = byId<HTMLDialogElement>("preview");
  #url: string | undefined;
  #reading = new AbortController();

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
    // The event comes a little later: the next file may be open by then.
    this.#dialog.addEventListener("close", () => this.#dialog.open || this.#end());
    // On the backdrop, not in the dialog.
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
  }

  async show(item: Item): Promise<void> {
    const { card } = item;
    this.#end();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    const stage = h("div", { class: "stage", "aria-busy": "true" }, h("p", {}, "Reading."));
    const save = h("a", { class: "main", download: card.name }, icon("M10 3v9m-4-4 4 4 4-4M4 16h12"), "Download");
    const close = h("button", { type: "button", class: "round", "aria-label": "Close", onclick: () => this.#dialog.close() }, icon("m5 5 10 10M15 5 5 15"));
    this.#dialog.replaceChildren(
      h("div", { class: "heading" }, h("h2", { id: "preview-title" }, card.name), close),
      stage,
      h(
        "dl",
        { class: "facts" },
        ...facts(item).flatMap(([term, value]) => [h("dt", {}, term), h("dd", { class: term === "SHA-256" ? "mono" : "" }, value)]),
      ),
      this.#caption(item),
      h("p", { class: "choices" }, save, this.#removal(item)),
    );
    this.#dialog.showModal();
    try {
      // Not as a page of this origin, if somebody opens the address.
      const type = /^(image|video|audio)\//.test(card.type) ? card.type : "application/octet-stream";
      this.#url = await this.#shelf.store.blobs.url(card.blob, { type, signal });
      save.href = this.#url;
      stage.replaceChildren(await this.#content(card, this.#url, signal));
    } catch (error) {
      if (signal.aborted) return;
      stage.replaceChildren(h("p", { role: "alert" }, said(error)));
    }
    stage.removeAttribute("aria-busy");
  }

  async #content(card: Card, url: string, signal: AbortSignal): Promise<Node> {
    if (card.type.startsWith("image/")) return h("img", { src: url, alt: card.name });
    if (card.type.startsWith("video/")) return h("video", { src: url, controls: true });
    if (card.type.startsWith("audio/")) return h("audio", { src: url, controls: true });
    if (isText(card)) {
      const start = await this.#shelf.store.blobs.range(card.blob, 0, TEXT, { signal });
      return h("pre", { tabindex: 0 }, new TextDecoder().decode(start));
    }
    return h("p", {}, "This kind of file is not shown here.");
  }

  /** What is said of the file; kept as soon as it is said. */
  #caption({ id, card }: Item): HTMLElement {
    const input = h("input", { id: "caption", type: "text", maxlength: 200, autocomplete: "off", value: this.#shelf.logbook.caption(id) });
    input.addEventListener("change", () => {
      this.#shelf.logbook.describe(id, card, input.value.trim()).then(
        () => announce("The caption is kept."),
        (error) => note(`The caption was not kept: ${said(error)}`),
      );
    });
    return h("div", { class: "caption" }, h("label", { for: "caption" }, "Caption"), input);
  }

  /** Asks once more before it removes. */
  #removal(item: Item): HTMLButtonElement {
    let asked = false;
    const button = h("button", { type: "button", class: "plain danger" }, "Remove");
    button.addEventListener("click", () => {
      if (!asked) {
        asked = true;
        button.textContent = "Remove here and there?";
        announce("Once more to remove it, here and on the remote.");
        return;
      }
      this.#dialog.close();
      this.#shelf.remove(item).then(
        () => note(`${item.card.name} was removed.`),
        (error) => note(`${item.card.name} was not removed: ${said(error)}`),
      );
    });
    button.addEventListener("blur", () => {
      asked = false;
      button.textContent = "Remove";
    });
    return button;
  }

  #end(): void {
    this.#reading.abort();
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = undefined;
  }
}

function facts({ card, trouble }: Item): [string, string][] {
  const facts: [string, string][] = [
    ["Size", `${bytes(card.size)}${card.type ? `, ${card.type}` : ""}`],
    ["Added", new Date(card.added).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" })],
    ["SHA-256", card.blob],
  ];
  if (trouble) facts.push(["Refused", trouble]);
  return facts;
}
