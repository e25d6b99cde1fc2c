// The page: opens the store, and connects its parts.

import { type Status, type Store, open } from "littoral";
import { byId, setText } from "./dom.js";
import { Files } from "./files.js";
import { Inspector } from "./inspector.js";
import { Network } from "./network.js";
import { banner, note } from "./notice.js";
import { Shelf, said } from "./shelf.js";
import { Head } from "./tide.js";
import { bytes } from "./words.js";

const VIEWS = ["shelf", "inspector"] as const;

async function start(): Promise<void> {
  const network = new Network();
  const head = new Head(network);
  network.addEventListener("kept", () => setText(byId("offline-ready"), "This page opens without a network."));
  network.addEventListener("newer", () => note("There is a new version of this page.", { label: "Load it", run: () => network.takeOver() }));
  await network.start();

  const url = network.remoteUrl;
  const store = await open("shelf", { remote: url ? { url } : undefined });
  const shelf = new Shelf(store);
  const files = new Files(shelf);
  const inspector = new Inspector(store, network);
  if (store.storageMode.lost) {
    banner("Files were kept here before and are gone: somebody, or the browser, deleted them. What was uploaded comes back from the remote.");
  }
  views(inspector);
  void follow(store, head, shelf, inspector);
  await shelf.load();
  files.show();
  void storageLine(store);
  setInterval(() => void storageLine(store), 10_000);
  network.addEventListener("change", () => bringRemote());

  /** What other devices put there, once it can be reached. */
  let brought = false;
  function bringRemote(): void {
    if (brought || !url || !network.on) return;
    brought = true;
    shelf.loadRemote().catch(() => (brought = false));
  }
  bringRemote();
  document.documentElement.dataset.ready = "yes";
}

/** Tells everybody what the store is doing. */
async function follow(store: Store, head: Head, shelf: Shelf, inspector: Inspector): Promise<void> {
  for await (const status of steady(store.status())) {
    head.told(status);
    shelf.told(status);
    inspector.told(status);
  }
  banner("The store was closed. Reload the page to open it again; everything that was kept is safe.");
}

/** An attempt to reach a remote that is away is no news before something has come of it. */
async function* steady(statuses: AsyncIterable<Status>): AsyncIterable<Status> {
  let away: Status | undefined;
  for await (const status of statuses) {
    const moved = away && (status.count < away.count || status.uploaded > away.uploaded);
    if (status.phase === "waiting") away = status;
    else if (status.phase !== "working" || moved) away = undefined;
    yield away ? { ...status, phase: "waiting" } : status;
  }
}

/** `#shelf` and `#inspector`. */
function views(inspector: Inspector): void {
  const show = (chosen: boolean) => {
    const wanted = VIEWS.find((view) => location.hash === `#${view}`) ?? "shelf";
    for (const view of VIEWS) byId(view).hidden = view !== wanted;
    for (const link of document.querySelectorAll("nav a")) {
      if (link.getAttribute("href") === `#${wanted}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${wanted === "shelf" ? "Shelf" : "Inspector"} · Littoral`;
    inspector.show(wanted === "inspector");
    if (chosen) byId(wanted).focus({ preventScroll: true });
  };
  addEventListener("hashchange", () => VIEWS.some((view) => location.hash === `#${view}`) && show(true));
  show(false);
}

async function storageLine(store: Store): Promise<void> {
  const room = await store.quota();
  const { backend } = store.storageMode;
  const where = { opfs: "Kept in this browser's file system", indexeddb: "Kept in this browser's database", memory: "Kept in memory only", file: "Kept in a file" }[backend];
  const used = room ? `: ${bytes(room.usage)} of ${bytes(room.quota)} used` : "";
  const kept = room?.persisted ? ", and the browser promised not to evict it" : "";
  setText(byId("storage"), `${where}${used}${kept}.`);
}

start().catch((error) => {
  console.error(error);
  setText(byId("tide-title"), "The store did not open");
  setText(byId("tide-text"), "Nothing that was kept is lost by this.");
  banner(said(error));
});
