// Puts without end, and tells each pointer once it is durable.

import { open } from "../dist/node.js";

const store = await open("k", { path: process.argv[2] });
for (let i = 0; ; i++) {
  const content = new Uint8Array(1000 + ((i * 7919) % 30_000)).fill(i);
  crypto.getRandomValues(content.subarray(0, 16));
  process.send(await store.blobs.put(content));
}
