// What `react.test.mjs` shows in a page: two fields over one place of a document.

import { StrictMode, createElement as h } from "react";
import { createRoot } from "react-dom/client";
import { DocProvider, useDoc } from "../dist/react.js";
import { open } from "/dist/index.js";

function Note() {
  const { value, set, pending, error } = useDoc("note.text");
  globalThis.set = set;
  return h(
    "p",
    {},
    h("input", { value: value ?? "", onChange: (event) => void set(event.target.value) }),
    h("output", { "data-pending": pending }, value ?? "nothing"),
    h("em", {}, error?.code),
  );
}

globalThis.start = async (name) => {
  globalThis.store = await open(name);
  globalThis.root = createRoot(document.getElementById("root"));
  root.render(h(StrictMode, {}, h(DocProvider, { doc: store.doc }, h(Note), h(Note))));
};

/** As somebody who types does. */
globalThis.type = (text) => {
  const input = document.querySelector("input");
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, text);
  input.dispatchEvent(new Event("input", { bubbles: true }));
};

/** What all fields say once nothing is on its way, and it is `text` if that is given. */
globalThis.settled = async (text) => {
  for (let attempt = 0; attempt < 500; attempt++) {
    const outputs = [...document.querySelectorAll("output")];
    const texts = outputs.map((output) => output.textContent);
    if (outputs.length > 0 && outputs.every(({ dataset }) => dataset.pending === "false") && (text === undefined || texts.every((it) => it === text))) {
      return [...texts, ...[...document.querySelectorAll("input")].map(({ value }) => value)];
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return document.body.innerHTML;
};

globalThis.ready = true;
