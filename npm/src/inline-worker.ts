// The worker's code as text, started from there.

// @ts-expect-error Written by the build.
import code from "inline:worker";

export function inlineWorker(): Worker {
  const url = URL.createObjectURL(new Blob([code as string], { type: "text/javascript" }));
  const worker = new Worker(url);
  // The browser has it by the time that the first message comes.
  worker.addEventListener("message", () => URL.revokeObjectURL(url), { once: true });
  return worker;
}
