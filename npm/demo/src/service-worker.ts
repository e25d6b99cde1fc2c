// Keeps the page itself, so that it opens without a network; and is the network switch: while it is off, every request that
// leaves this origin fails as it does under a cut cable.

import { clientsClaim } from "workbox-core";
import { cleanupOutdatedCaches, precacheAndRoute } from "workbox-precaching";
import { NETWORK_OFF, recall } from "./memory.js";

declare const self: ServiceWorkerGlobalScope;
declare const PRECACHE: { url: string; revision: string }[];

/** A worker is ended at any time, and begins with what is remembered. */
let off: Promise<boolean> | boolean = look();

async function look(): Promise<boolean> {
  return (off = (await recall(NETWORK_OFF)) !== undefined);
}

self.addEventListener("message", (event) => {
  const { turned, takeOver } = event.data ?? {};
  if (takeOver) void self.skipWaiting();
  if (turned) event.waitUntil(look().then(() => event.ports[0]?.postMessage("done")));
});

self.addEventListener("fetch", (event) => {
  if (off === false || new URL(event.request.url).origin === self.location.origin) return;
  event.respondWith((async () => ((await off) ? Response.error() : fetch(event.request)))());
});

clientsClaim();
cleanupOutdatedCaches();
precacheAndRoute(PRECACHE);
