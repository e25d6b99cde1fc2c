// The command line of this checkout: a remote to talk to, and another host for the same file.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { here } from "./serve.mjs";

const CLI = process.env.LITTORAL ?? here("../target/debug/littoral");

/** Runs one command to its end; what it says of a failure is in the error, and nowhere else: tests expect some. */
export function littoral(...args) {
  return execFileSync(CLI, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}

/** A folder that goes away. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), "littoral-npm-"));
  return { path, file: (name) => join(path, name), remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A remote over a store's file; `listen`: an address that was used before. */
export async function remote(store, listen = "127.0.0.1:0", token = "tide") {
  const child = spawn(CLI, ["serve", "--store", store, "--listen", listen, "--json"], {
    env: { ...process.env, LITTORAL_TOKEN: token },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
      const found = text.match(/http:\/\/[0-9.:]+/);
      if (found) resolve(found[0]);
    });
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the remote ended with ${code}`)));
  });
  return {
    url,
    token,
    address: url.slice("http://".length),
    stop: () =>
      new Promise((resolve) => {
        child.on("exit", resolve);
        child.kill("SIGTERM");
      }),
  };
}
