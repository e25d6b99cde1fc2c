// What the page and its service worker must know before the store is open. Local storage would do, but browsers write it to
// disk only after a while: a browser that is killed forgets it.

const PLACE = "shelf-memory";

/** What was remembered under this name. */
export async function recall(name: string): Promise<string | undefined> {
  // Not over plain HTTP.
  if (!globalThis.caches) return undefined;
  const found = await (await caches.open(PLACE)).match(name);
  return found?.text();
}

/** Remembers it; `undefined` forgets it. */
export async function remember(name: string, text: string | undefined): Promise<void> {
  if (!globalThis.caches) return;
  const cache = await caches.open(PLACE);
  if (text === undefined) await cache.delete(name);
  else await cache.put(name, new Response(text));
}

/** There while the network switch is off. */
export const NETWORK_OFF = "network-off";
/** Where the remote was when it was asked for. */
export const REMOTE_URL = "remote-url";
