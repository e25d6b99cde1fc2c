// @ts-check
// One request with `fetch`.

import { makeError } from "./error.js";

/**
 * @param {string} method
 * @param {string} url
 * @param {string[]} headers names and values in turn
 * @param {Uint8Array<ArrayBuffer>[] | undefined} body
 */
export function startCall(method, url, headers, body) {
  return new Call(method, url, headers, body);
}

class Call {
  status = 0;
  /** @type {string[]} */
  headers = [];
  #abort = new AbortController();
  /** @type {Promise<Response>} */
  #response;
  /** @type {ReadableStreamDefaultReader<Uint8Array> | undefined} */
  #reader;

  /**
   * @param {string} method
   * @param {string} url
   * @param {string[]} headers
   * @param {Uint8Array<ArrayBuffer>[] | undefined} body
   */
  constructor(method, url, headers, body) {
    /** @type {[string, string][]} */
    const pairs = [];
    for (let i = 0; i + 1 < headers.length; i += 2) pairs.push([headers[i], headers[i + 1]]);
    // Of one piece there is no need for a Blob, which some browsers send more slowly.
    const content = body === undefined ? undefined : body.length === 1 ? body[0] : new Blob(body);
    this.#response = fetch(url, {
      method,
      headers: pairs,
      body: content ?? (method === "GET" || method === "HEAD" ? undefined : new Uint8Array()),
      signal: this.#abort.signal,
      cache: "no-store",
      credentials: "omit",
      redirect: "manual",
    });
    // Whoever drops the call does not ask.
    this.#response.catch(() => {});
  }

  async head() {
    const response = await this.#response.catch((error) => {
      throw makeError("Transient", `the remote cannot be reached: ${error?.message ?? error}`);
    });
    if (response.type === "opaqueredirect") {
      throw makeError("InvalidInput", "the remote answers with a redirect: name the address that it leads to");
    }
    this.status = response.status;
    for (const [name, value] of response.headers) this.headers.push(name, value);
    this.#reader = response.body?.getReader();
  }

  async next() {
    for (;;) {
      const { done, value } = (await this.#reader?.read().catch((error) => {
        throw makeError("Transient", `the connection to the remote was lost: ${error?.message ?? error}`);
      })) ?? { done: true, value: undefined };
      if (done) return undefined;
      if (value.length > 0) return value;
    }
  }

  stop() {
    this.#abort.abort();
  }
}
