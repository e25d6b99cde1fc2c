// The worker that a page starts: it owns the store, or reaches the tab that does.

import { Tab, type FromPage, type ToPage } from "./tab.js";
import { Vigil } from "./vigil.js";

const scope = self as unknown as {
  postMessage(message: ToPage, transfer?: Transferable[]): void;
  addEventListener(type: string, listener: (event: any) => void): void;
  close(): void;
};

const vigil = new Vigil();
const post = (message: ToPage, transfer: Transferable[]) => {
  scope.postMessage(message, transfer);
  if (message.answers) vigil.went();
};
const tab = new Tab(post, () => scope.close());

scope.addEventListener("message", ({ data }: MessageEvent<FromPage>) => {
  if (data.calls) vigil.came();
  tab.receive(data);
});
// A panic inside of background work.
scope.addEventListener("error", (event: ErrorEvent) => tab.broke(event.error ?? event.message));
scope.addEventListener("unhandledrejection", (event: PromiseRejectionEvent) => tab.broke(event.reason));
scope.postMessage({ ready: true });

