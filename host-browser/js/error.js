// @ts-check
// Errors on their way between JavaScript and the core.

const CODES = new Set([
  "NotFound", "AlreadyExists", "ReadOnly", "Conflict", "InvalidInput", "OutOfRange", "Corrupt", "Busy",
  "Quota", "Closed", "Poisoned", "Transient", "Auth", "Timeout", "NotImplemented",
]);

/** What the names of DOMExceptions and Node's codes come down to. @type {Record<string, string>} */
const KNOWN = {
  QuotaExceededError: "Quota",
  ENOSPC: "Quota",
  EDQUOT: "Quota",
  NotFoundError: "NotFound",
  ENOENT: "NotFound",
  NoModificationAllowedError: "Busy",
  EBUSY: "Busy",
  EACCES: "ReadOnly",
  EROFS: "ReadOnly",
  TimeoutError: "Timeout",
  NotAllowedError: "ReadOnly",
  SecurityError: "NotImplemented",
  NotSupportedError: "NotImplemented",
};

/** The name of a kind for anything that can be thrown. @param {any} thrown @returns {string} */
export function codeOf(thrown) {
  const code = String(thrown?.code);
  if (CODES.has(code)) return code;
  return KNOWN[code] ?? KNOWN[String(thrown?.name)] ?? "Transient";
}

/** Words for anything that can be thrown. @param {any} thrown @returns {string} */
export function messageOf(thrown) {
  if (!(thrown instanceof Error) && typeof thrown?.message !== "string") return String(thrown);
  const plain = thrown.name === "Error" || CODES.has(String(thrown.code));
  return plain ? thrown.message : `${thrown.name}: ${thrown.message}`;
}

/**
 * An error with a code, and with its cause's code and message where it has one.
 * @param {string} code
 * @param {string} message
 * @param {string} [causeCode]
 * @param {string} [cause]
 * @returns {Error & { code: string }}
 */
export function makeError(code, message, causeCode, cause) {
  /** @type {ErrorOptions | undefined} */
  const options = cause === undefined ? undefined : { cause: causeCode ? makeError(causeCode, cause) : new Error(cause) };
  return Object.assign(new Error(message, options), { name: "LittoralError", code });
}
