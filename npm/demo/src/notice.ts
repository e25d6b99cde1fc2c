// What the page says: to everybody in a corner, and to screen readers.

import { byId, h, setText } from "./dom.js";

const LONG_ENOUGH = 6000;

/** Tells screen readers, politely. */
export function announce(text: string): void {
  setText(byId("live"), text);
}

/** Shows a note for a while; with an action it stays until it is answered. */
export function note(text: string, action?: { label: string; run: () => void }): void {
  const toast = h("div", { class: "toast" }, h("span", {}, text));
  const away = () => toast.remove();
  if (action) {
    const run = () => {
      away();
      action.run();
    };
    toast.append(h("button", { type: "button", onclick: run }, action.label));
  } else {
    setTimeout(away, LONG_ENOUGH);
  }
  byId("toasts").append(toast);
  announce(text);
}

/** Says at the top of the page what stands in the way, until it does not. */
export function banner(text: string | undefined): void {
  const place = byId("banner");
  place.hidden = text === undefined;
  setText(place, text ?? "");
}
