// The head of the page: how far the queue has come, and the two switches.

import type { Status } from "littoral";
import { byId, setText } from "./dom.js";
import type { Network } from "./network.js";
import { announce, note } from "./notice.js";
import { bytes, count } from "./words.js";

/** How long something is so before it is said aloud, in milliseconds. */
const CALM = 700;

interface Tide {
  title: string;
  text: string;
  /** What is said aloud when it is new; numbers that run are not. */
  aloud: string;
  mood: "calm" | "rising" | "waiting" | "trouble";
}

/** Shows a store's status at the head of the page. */
export class Head {
  #network: Network;
  #status: Status | undefined;
  /** The largest the queue was since it was empty. */
  #most = { count: 0, bytes: 0 };
  /** What was sent beyond what has arrived whole, when the uploads that run now began. */
  #ahead = 0;
  #aloud = "";
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor(network: Network) {
    this.#network = network;
    network.addEventListener("change", () => this.show());
    byId("network").addEventListener("click", () => void this.#turnNetwork());
    byId("remote").addEventListener("click", () => void this.#turnRemote());
  }

  told(status: Status): void {
    this.#status = status;
    this.show();
  }

  show(): void {
    this.#switches();
    const status = this.#status;
    if (!status) return;
    const progress = this.#progress(status);
    const { title, text, aloud, mood } = tide(status, this.#network);
    setText(byId("tide-title"), title);
    setText(byId("tide-text"), text);
    document.body.dataset.tide = mood;
    const bar = byId("progress");
    bar.setAttribute("aria-valuenow", String(progress));
    bar.setAttribute("aria-valuetext", status.count === 0 ? "nothing waits" : `${progress} percent, ${text}`);
    bar.style.setProperty("--done", `${progress}%`);
    this.#say(aloud);
  }

  /** Says it once it has been so for a while: a small file is up before the next one is kept. */
  #say(aloud: string): void {
    clearTimeout(this.#soon);
    // Not what was so when the page came.
    if (this.#aloud === "") this.#aloud = aloud;
    if (aloud === this.#aloud) return;
    this.#soon = setTimeout(() => {
      this.#aloud = aloud;
      announce(aloud);
    }, CALM);
  }

  /** How much of what was queued has arrived, in percent. */
  #progress(status: Status): number {
    if (status.count === 0) {
      this.#most = { count: 0, bytes: 0 };
      return 100;
    }
    this.#most = { count: Math.max(this.#most.count, status.count), bytes: Math.max(this.#most.bytes, status.bytes) };
    const most = this.#most;
    const bytes = status.bytes - this.#underWay(status);
    // Bytes take the time, but a deletion has none.
    const left = most.bytes > 0 ? 0.9 * (bytes / most.bytes) + 0.1 * (status.count / most.count) : status.count / most.count;
    return Math.min(99, Math.round(100 * (1 - left)));
  }

  /** What the remote has taken of blobs that it does not have whole yet. */
  #underWay(status: Status): number {
    const ahead = status.sentBytes - status.uploadedBytes;
    // What was on its way is sent again after a wait; and pieces that the remote had before are never sent.
    if (status.phase !== "working" || ahead < this.#ahead) this.#ahead = ahead;
    return Math.min(ahead - this.#ahead, status.bytes);
  }

  #switches(): void {
    const network = byId<HTMLButtonElement>("network");
    network.disabled = !this.#network.switchable;
    network.setAttribute("aria-checked", String(!this.#network.switchedOff));
    network.title = network.disabled ? "Works once the page is kept for offline use" : "";
    const { remote } = this.#network;
    const button = byId<HTMLButtonElement>("remote");
    button.hidden = remote === undefined && this.#network.remoteUrl === undefined;
    button.disabled = remote === undefined;
    button.title = remote ? `littoral serve at ${remote.url}` : "The demo's server cannot be reached";
    button.setAttribute("aria-checked", String(remote?.up ?? false));
  }

  async #turnNetwork(): Promise<void> {
    const on = this.#network.switchedOff;
    await this.#network.turn(on);
    note(on ? "The network is back." : "The network is off for this page. Everything goes on working.");
  }

  async #turnRemote(): Promise<void> {
    const up = !this.#network.remote?.up;
    await this.#network.ask({ up });
    if (this.#network.remote?.up !== up) note("The demo's server did not do it.");
    else note(up ? "The demo's remote is up." : "The demo's remote is down: uploads will wait.");
    if (up) dispatchEvent(new Event("online"));
  }
}

function tide(status: Status, network: Network): Tide {
  const left = [status.count > 0 && count(status.count, "change"), status.bytes > 0 && bytes(status.bytes)].filter(Boolean).join(", ");
  const refused = status.failed + status.missing;
  if (status.phase === "local") {
    return { title: "Kept in this browser", text: "There is no remote to bring it to.", aloud: "Kept in this browser.", mood: "calm" };
  }
  if (status.phase === "auth") {
    return { title: "The remote wants other credentials", text: `${left} wait.`, aloud: "The remote wants other credentials.", mood: "trouble" };
  }
  if (refused > 0 && refused === status.count) {
    const title = `The remote refuses ${count(refused, "change")}`;
    return { title, text: "They are safe here. The inspector says why.", aloud: title, mood: "trouble" };
  }
  const away = !network.on ? "The network is off" : "The remote cannot be reached";
  if (status.count === 0) {
    if (!network.on || status.phase === "waiting") {
      return { title: away, text: "Everything was uploaded before. New files are kept here until it is back.", aloud: `${away}.`, mood: "waiting" };
    }
    return { title: "All safe, here and there", text: "Everything on the shelf is also on the remote.", aloud: "Everything is on the remote.", mood: "calm" };
  }
  if (!network.on || status.phase === "waiting") {
    return { title: away, text: `${left}: safe here, and uploaded when it is back.`, aloud: `${away}. What is queued is safe here.`, mood: "waiting" };
  }
  if (status.phase === "paused") {
    return { title: "Uploads are paused", text: `${left} wait.`, aloud: "Uploads are paused.", mood: "waiting" };
  }
  return { title: "The tide is coming in", text: `Uploading: ${left} to go.`, aloud: "Uploading.", mood: "rising" };
}
