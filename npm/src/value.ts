// Values of a document on their way: the bytes that the table in `core/src/doc/binary.rs` describes.

import { LittoralError } from "./errors.js";
import type { Pointer } from "./store.js";

/** The name of a blob, as a value of a document: made by `link`. */
export interface Link {
  readonly "/": Pointer;
}

/**
 * What a document is made of.
 *
 * A number that is whole and safe (below 2^53) is an integer there, any other finite one a float; a bigint is an integer of 64 bits. Back comes a
 * number, or a bigint for an integer that is not safe. Fields that are `undefined` are left out. Sparse lists are objects with decimal names.
 */
export type Value = null | boolean | number | bigint | string | Uint8Array | Link | readonly Value[] | { readonly [field: string]: Value };

/** A link to a blob. */
export function link(pointer: Pointer): Link {
  return { "/": pointer };
}

/** Whether a value is a link. */
export function isLink(value: unknown): value is Link {
  return typeof (value as Link | null)?.["/"] === "string" && Object.keys(value as object).length === 1;
}

/** Containers within each other: no tree is deeper. */
const DEPTH = 100;
const [NULL, FALSE, TRUE, INT, FLOAT, STRING, BYTES, LINK, LIST, OBJECT, SPARSE] = Array.from({ length: 11 }, (_, tag) => tag);

const refuse = (what: string) => new LittoralError("InvalidInput", `no value of a document: ${what}`);

/** A value as bytes. */
export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  out.value(value, 0);
  return out.bytes.slice(0, out.length);
}

class Writer {
  bytes = new Uint8Array(256);
  length = 0;
  #text = new TextEncoder();

  /** Makes room for so many bytes, and says where: `bytes` may be another array then. */
  #take(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(this.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    return at;
  }

  #byte(byte: number): void {
    const at = this.#take(1);
    this.bytes[at] = byte;
  }

  #raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.bytes.set(bytes, at);
  }

  /** LEB128 */
  #number(number: number | bigint): void {
    if (typeof number === "bigint") {
      for (; number >= 128n; number >>= 7n) this.#byte(Number(number & 127n) | 128);
      number = Number(number);
    }
    for (; number >= 128; number = Math.floor(number / 128)) this.#byte((number % 128) | 128);
    this.#byte(number);
  }

  #counted(bytes: Uint8Array): void {
    this.#number(bytes.length);
    this.#raw(bytes);
  }

  #string(text: string): void {
    // Half of a character, which UTF-8 does not have.
    if (/[\ud800-\udfff]/u.test(text)) throw refuse("a string with half of a character");
    this.#counted(this.#text.encode(text));
  }

  value(value: unknown, depth: number): void {
    if (depth > DEPTH) throw refuse(`nested deeper than ${DEPTH}, or within itself`);
    switch (typeof value) {
      case "boolean":
        return this.#byte(value ? TRUE! : FALSE!);
      case "number":
        if (Number.isSafeInteger(value)) return this.#integer(BigInt(value));
        if (!Number.isFinite(value)) throw refuse(`the number ${value}`);
        this.#byte(FLOAT!);
        // Little-endian, as every machine is that a browser runs on.
        return this.#raw(new Uint8Array(new Float64Array([value]).buffer));
      case "bigint":
        return this.#integer(value);
      case "string":
        this.#byte(STRING!);
        return this.#string(value);
      case "object":
        if (value === null) return this.#byte(NULL!);
        if (value instanceof Uint8Array) {
          this.#byte(BYTES!);
          return this.#counted(value);
        }
        if (Array.isArray(value)) {
          this.#byte(LIST!);
          this.#number(value.length);
          // Holes are visited as well.
          for (const item of value) this.value(item, depth + 1);
          return;
        }
        if (isPlain(value)) return this.#interpreted(value as Record<string, unknown>, depth);
        throw refuse(`a ${value.constructor?.name ?? "strange object"}`);
      default:
        throw refuse(typeof value);
    }
  }

  #integer(int: bigint): void {
    if (BigInt.asIntN(64, int) !== int) throw refuse(`the integer ${int}, which has more than 64 bits`);
    this.#byte(INT!);
    this.#number(int < 0n ? -2n * int - 1n : 2n * int);
  }

  /** A link, an object behind `{ "/": { map: ... } }`, or an object. */
  #interpreted(object: Record<string, unknown>, depth: number): void {
    if (isLink(object)) {
      const pointer = object["/"];
      if (!/^[0-9a-f]{64}$/.test(pointer)) throw refuse('a link is { "/": POINTER }, with 64 hex digits');
      this.#byte(LINK!);
      this.#raw(Uint8Array.from(pointer.match(/../g)!, (digits) => parseInt(digits, 16)));
      return;
    }
    this.#object(only(only(object, "/"), "map") ?? object, depth);
  }

  #object(object: Record<string, unknown>, depth: number): void {
    const names = Object.keys(object).filter((name) => object[name] !== undefined);
    this.#byte(OBJECT!);
    this.#number(names.length);
    for (const name of names.sort(inBytes)) {
      this.#string(name);
      this.value(object[name], depth + 1);
    }
  }
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** What an object has in its only field, if that is an object. */
function only(object: Record<string, unknown> | undefined, name: string): Record<string, unknown> | undefined {
  const inner = object?.[name];
  return object && isPlain(inner) && Object.keys(object).length === 1 ? inner : undefined;
}

/** The order of names in UTF-8, which is not that of JavaScript where a character takes two. */
function inBytes(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const place = (unit: number) => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit);
  const [x = -1, y = -1] = [a, b].map((name) => (at < name.length ? place(name.charCodeAt(at)) : -1));
  return x - y;
}

/** The value that these bytes are. */
export function decode(bytes: Uint8Array): any {
  return new Reader(bytes).value();
}

const text = new TextDecoder();

class Reader {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  #raw(count: number): Uint8Array<ArrayBuffer> {
    const at = this.#at;
    this.#at += count;
    return this.#bytes.slice(at, this.#at) as Uint8Array<ArrayBuffer>;
  }

  #number(): bigint {
    let number = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#bytes[this.#at++] ?? 0;
      number |= BigInt(byte & 127) << shift;
      if (byte < 128) return number;
    }
  }

  #counted(): Uint8Array<ArrayBuffer> {
    return this.#raw(Number(this.#number()));
  }

  #string(): string {
    const end = Number(this.#number()) + this.#at;
    const string = text.decode(this.#bytes.subarray(this.#at, end));
    this.#at = end;
    return string;
  }

  value(): any {
    const tag = this.#bytes[this.#at++];
    switch (tag) {
      case NULL:
        return null;
      case FALSE:
        return false;
      case TRUE:
        return true;
      case INT: {
        const folded = this.#number();
        const int = (folded >> 1n) ^ -(folded & 1n);
        const number = Number(int);
        return Number.isSafeInteger(number) ? number : int;
      }
      case FLOAT:
        return new DataView(this.#raw(8).buffer).getFloat64(0, true);
      case STRING:
        return this.#string();
      case BYTES:
        return this.#counted();
      case LINK:
        return link(Array.from(this.#raw(32), (byte) => byte.toString(16).padStart(2, "0")).join(""));
      case LIST:
        return Array.from({ length: Number(this.#number()) }, () => this.value());
      case OBJECT: {
        const object = this.#fields(() => this.#string());
        // What would be taken for a link, or for this very thing.
        return isLink(object) || only(only(object, "/"), "map") ? { "/": { map: object } } : object;
      }
      case SPARSE:
        return this.#fields(() => String(this.#number()));
      default:
        throw new LittoralError("Corrupt", "the engine told something that is no value: is it another version than this page?");
    }
  }

  #fields(name: () => string): Record<string, any> {
    const object: Record<string, any> = {};
    for (let left = Number(this.#number()); left > 0; left--) {
      // A field of the name __proto__ is a field like any other.
      Object.defineProperty(object, name(), { value: this.value(), writable: true, enumerable: true, configurable: true });
    }
    return object;
  }
}
