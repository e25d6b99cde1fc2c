// @ts-check
// Time and chance.

/** Longer waits than this are not known to `setTimeout`. */
const LONGEST = 0x7fffffff;

/** A wait that can be ended. @param {number} milliseconds */
export function startTimer(milliseconds) {
  /** @type {any} */
  let timer;
  const end = Date.now() + milliseconds;
  const done = new Promise((resolve) => {
    const again = () => {
      const left = end - Date.now();
      if (left <= 0) resolve(undefined);
      else timer = setTimeout(again, Math.min(left, LONGEST));
    };
    timer = setTimeout(again, Math.min(milliseconds, LONGEST));
  });
  return { done, stop: () => clearTimeout(timer) };
}

/** Random bytes good enough for keys. @param {Uint8Array<ArrayBuffer>} bytes */
export function fillRandom(bytes) {
  crypto.getRandomValues(bytes);
}

/** Milliseconds since 1970. */
export function now() {
  return Date.now();
}
