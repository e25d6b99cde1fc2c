// Counts in the document without end, and tells how far once that is durable.

import { open } from "../dist/node.js";

const { doc } = await open("k", { path: process.argv[2] });
let told = 0;
const lane = async () => {
  for (;;) {
    await doc.patch("", { ops: [{ op: "increment", path: "n", by: 1 }, { op: "append", path: "list", values: [process.pid] }] });
    process.send(++told + before);
  }
};
const before = (await doc.read("n")) ?? 0;
for (let i = 0; i < 4; i++) void lane();
