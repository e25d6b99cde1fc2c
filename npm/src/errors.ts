// Errors that callers can branch on.

/** What a caller can do about an error. */
export type ErrorCode =
  | "NotFound"
  | "AlreadyExists"
  | "ReadOnly"
  | "Conflict"
  | "InvalidInput"
  | "OutOfRange"
  | "Corrupt"
  | "Busy"
  | "Quota"
  | "Closed"
  | "Poisoned"
  | "Transient"
  | "Auth"
  | "Timeout"
  | "NotImplemented";

/** What went wrong: `code` to branch on, `message` to read, `cause` where there is one. The same out of a worker. */
export class LittoralError extends Error {
  override readonly name = "LittoralError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An error as it travels between a page and a worker. */
export interface WireError {
  code: ErrorCode;
  message: string;
  cause?: WireError | undefined;
}

/** An error of any kind as it travels. */
export function toWire(error: unknown): WireError {
  const { code, message, name, cause } = (error ?? {}) as { code?: string; message?: string; name?: string; cause?: unknown };
  // The engine stopped in the middle of something.
  if (error instanceof WebAssembly.RuntimeError) return { code: "Poisoned", message: `${POISONED} (${message})` };
  const own = name === "LittoralError";
  return {
    code: own ? (code as ErrorCode) : codeOf(error),
    message: own || name === "Error" ? String(message) : messageOf(error),
    cause: cause === undefined ? undefined : toWire(cause),
  };
}

/** The error that travelled. */
export function fromWire({ code, message, cause }: WireError): LittoralError {
  return new LittoralError(code, message, cause && { cause: fromWire(cause) });
}

/** Anything that was thrown, as an error of ours. */
export function wrap(error: unknown): LittoralError {
  return error instanceof LittoralError ? error : fromWire(toWire(error));
}

export const HINT =
  'With Vite, add `optimizeDeps: { exclude: ["littoral"] }` to its configuration; anywhere else, import "littoral/inline", which needs none';

export const POISONED = "the engine met a mistake of its own and was stopped; what was acknowledged is safe: open the store again";

import { codeOf as anyCode, messageOf } from "../../host-browser/js/error.js";

function codeOf(error: unknown): ErrorCode {
  return anyCode(error) as ErrorCode;
}
