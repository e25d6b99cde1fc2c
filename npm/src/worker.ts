// The worker that a page starts: it owns the store, or reaches the tab that does.

import { Tab, type FromPage, type ToPage } from "./tab.js";

const scope = self as unknown as {
  postMessage(message: ToPage, transfer?: Transferable[]): void;
  addEventListener(type: string, listener: (event: any) => void): void;
  close(): void;
};

const tab = new Tab((message, transfer) => scope.postMessage(message, transfer), () => scope.close());

scope.addEventListener("message", (event: MessageEvent<FromPage>) => tab.receive(event.data));
// A panic inside of background work.
scope.addEventListener("error", (event: ErrorEvent) => tab.broke(event.error ?? event.message));
scope.addEventListener("unhandledrejection", (event: PromiseRejectionEvent) => tab.broke(event.reason));
scope.postMessage({ ready: true });

