// The network as the page knows it: the service worker with its switch, and the demo's remote.

import { NETWORK_OFF, REMOTE_URL, recall, remember } from "./memory.js";

/** What the server of the demo says of its remote. */
export interface Remote {
  url: string;
  up: boolean;
}

const CONTROL = "demo/remote";
/** How long the first visit waits for the service worker, in milliseconds. */
const PATIENCE = 4000;

/** Says `change` when something about the network is new, `kept` when the page opens without one, `newer` when there is a new version. */
export class Network extends EventTarget {
  /** Nothing when there is no demo server behind the page, or it cannot be reached. */
  remote: Remote | undefined;
  /** Whether the switch can be used. */
  switchable = false;
  /** Whether the switch is off. */
  switchedOff = false;
  /** The remote's address: what the server says, or said the last time. */
  remoteUrl: string | undefined;
  #registration: ServiceWorkerRegistration | undefined;
  #others = new BroadcastChannel("shelf-network");

  /** Whether requests may leave. */
  get on(): boolean {
    return !this.switchedOff && navigator.onLine;
  }

  async start(): Promise<void> {
    addEventListener("online", () => this.#changed());
    addEventListener("offline", () => this.#changed());
    // Another tab turned it.
    this.#others.onmessage = () => void this.#recall();
    const worker = this.#worker();
    await this.#recall();
    // Only the first time there is something to wait for.
    if (this.remoteUrl === undefined) await this.ask();
    else void this.ask();
    // Where it cannot be installed this would never end.
    await Promise.race([worker, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  }

  /** Asks the server of the demo how its remote is. */
  async ask(order?: { up: boolean }): Promise<void> {
    const request = order && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(order) };
    try {
      const response = await fetch(CONTROL, request);
      this.remote = response.ok && response.headers.get("content-type") === "application/json" ? await response.json() : undefined;
    } catch {
      this.remote = undefined;
    }
    if (this.remote) {
      this.remoteUrl = this.remote.url;
      await remember(REMOTE_URL, this.remoteUrl);
    }
    this.#changed();
  }

  /** Cuts the network, or mends it. */
  async turn(on: boolean): Promise<void> {
    await remember(NETWORK_OFF, on ? undefined : "yes");
    await this.#tell({ turned: true });
    this.switchedOff = !on;
    this.#others.postMessage("turned");
    this.#changed();
    // What waits for its next attempt need not wait any longer: the package listens for this.
    if (on) dispatchEvent(new Event("online"));
  }

  /** Lets the new version take over; the page loads itself again. */
  takeOver(): void {
    this.#registration?.waiting?.postMessage({ takeOver: true });
  }

  async #recall(): Promise<void> {
    this.switchedOff = (await recall(NETWORK_OFF)) !== undefined;
    this.remoteUrl ??= await recall(REMOTE_URL);
    this.#changed();
  }

  async #worker(): Promise<void> {
    const { serviceWorker } = navigator;
    // Not in a private window of every browser, and not over plain HTTP.
    if (!serviceWorker) return;
    let first = !serviceWorker.controller;
    serviceWorker.addEventListener("controllerchange", () => {
      if (!first) location.reload();
      first = false;
      this.#controlled();
    });
    try {
      const registration = await serviceWorker.register("sw.js");
      this.#registration = registration;
      const waits = () => registration.waiting && serviceWorker.controller && this.dispatchEvent(new Event("newer"));
      waits();
      registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", waits));
      await serviceWorker.ready;
      if (serviceWorker.controller) this.#controlled();
    } catch (error) {
      console.warn("the page does not open offline", error);
    }
  }

  #controlled(): void {
    if (this.switchable) return;
    this.switchable = true;
    this.dispatchEvent(new Event("kept"));
    this.#changed();
  }

  #tell(message: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      const { controller } = navigator.serviceWorker;
      if (!controller) return reject(new Error("no service worker has this page yet"));
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve();
      controller.postMessage(message, [port2]);
    });
  }

  #changed(): void {
    this.dispatchEvent(new Event("change"));
  }
}
