// @ts-check
// Which rows there are, by where they begin, what has not been stored yet, and what was written or read lately.

/** Bytes of stored rows that are kept. */
const KEPT = 8 << 20;

/**
 * A row; with bytes while they are not stored, and as long as they are kept then. `used`: somebody read it since the hand passed.
 * `most`: so many of the bytes that are stored were not cut off, until the database has done that as well.
 * @typedef {{ start: number, bytes?: Uint8Array | undefined, most?: number, kept?: boolean, used?: boolean }} Row
 *
 * What a transaction has to do: put `bytes` at `start`; delete rows that begin in `start..end`; or keep only `keep` bytes of
 * the row at `start`.
 * @typedef {{ start: number, bytes?: Uint8Array, end?: number, keep?: number }} Change
 */

export class Rows {
  /** In order of `start`. @type {Row[]} */
  #rows;
  /** Rows that are kept, and some that are not any more: a round for the hand of a CLOCK. @type {Row[]} */
  #round = [];
  #hand = 0;
  /** How many are kept, and their bytes. */
  #count = 0;
  #kept = 0;
  #most;

  /** @param {number[]} starts in ascending order @param {number} most bytes that are kept */
  constructor(starts, most = KEPT) {
    this.#rows = starts.map((start) => ({ start }));
    this.#most = most;
  }

  /** The index of the first row that begins at or behind `offset`. @param {number} offset */
  #at(offset) {
    let low = 0;
    let high = this.#rows.length;
    // Most looks are at the last row.
    if (high > 0 && this.#rows[high - 1].start < offset) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#rows[middle].start < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The rows that may have bytes of `from..to`. @param {number} from @param {number} to */
  between(from, to) {
    let first = this.#at(from);
    if (this.#rows[first]?.start !== from && first > 0) first--;
    return this.#rows.slice(first, this.#at(to));
  }

  /** Whether no row can have bytes of `from..to`. @param {number} from @param {number} to */
  isEmpty(from, to) {
    const found = this.between(from, to);
    // How long a row is that was found at opening is not known.
    return found.every((row) => row.start < from && row.bytes !== undefined && row.start + row.bytes.length <= from);
  }

  /** @param {number} start @param {Uint8Array} bytes @returns {Change[]} */
  write(start, bytes) {
    const from = this.#at(start);
    const to = this.#at(start + bytes.length);
    const same = to - from === 1 && this.#rows[from].start === start;
    /** @type {Change[]} */
    const changes = same || from === to ? [] : [{ start, end: start + bytes.length }];
    for (const row of this.#rows.splice(from, to - from, { start, bytes })) this.#drop(row);
    changes.push({ start, bytes });
    return changes;
  }

  /** Nothing is left at or behind `len`. @param {number} len @returns {Change[]} */
  cut(len) {
    const from = this.#at(len);
    for (const row of this.#rows.splice(from)) this.#drop(row);
    /** @type {Change[]} */
    const changes = [{ start: len, end: Infinity }];
    const last = this.#rows[from - 1];
    if (last) {
      const { start, bytes } = last;
      const keep = len - start;
      // Another one from now on: what is being read of the longer one is not kept for it.
      if (bytes === undefined) {
        this.#rows[from - 1] = { start, most: Math.min(keep, last.most ?? keep) };
        changes.push({ start, keep });
      } else if (bytes.length > keep) {
        this.#drop(last);
        const shorter = bytes.slice(0, keep);
        this.#rows[from - 1] = { start, bytes: shorter };
        changes.push({ start, bytes: shorter });
      }
    }
    return changes;
  }

  /** These changes are stored: their bytes are kept only as others are. @param {Change[]} changes */
  stored(changes) {
    for (const { start, bytes } of changes) {
      const row = this.#rows[this.#at(start)];
      if (!bytes || row?.bytes !== bytes) continue;
      row.bytes = undefined;
      this.keep(row, bytes);
    }
  }

  /** What of the bytes that are stored is the row's. @param {Row} row @param {Uint8Array} bytes */
  own({ most }, bytes) {
    return most === undefined ? bytes : bytes.slice(0, most);
  }

  /** Keeps nothing that is stored. */
  forget() {
    for (const row of this.#round) this.#drop(row);
    this.#round = [];
  }

  /** Keeps what is stored in a row for whoever reads it next, until others need the room. @param {Row} row @param {Uint8Array} bytes */
  keep(row, bytes) {
    // Another one may be in its place by now.
    if (row.bytes !== undefined || this.#rows[this.#at(row.start)] !== row) return;
    row.bytes = bytes;
    row.kept = true;
    this.#count++;
    this.#kept += bytes.length;
    this.#round.push(row);
    while (this.#kept > this.#most) this.#evict();
    // Those that were written over.
    if (this.#round.length > 2 * this.#count + 64) this.#round = this.#round.filter((row) => row.kept);
  }

  #evict() {
    for (;;) {
      if (this.#hand >= this.#round.length) this.#hand = 0;
      const row = this.#round[this.#hand];
      if (row.kept && row.used) {
        row.used = false;
        this.#hand++;
        continue;
      }
      // The last one takes its place.
      const last = /** @type {Row} */ (this.#round.pop());
      if (last !== row) this.#round[this.#hand] = last;
      this.#drop(row);
      return;
    }
  }

  /** What is kept: rows, their bytes, and places in the round. */
  get weight() {
    return { rows: this.#count, bytes: this.#kept, round: this.#round.length };
  }

  /** @param {Row} row */
  #drop(row) {
    if (!row.kept) return;
    this.#count--;
    this.#kept -= /** @type {Uint8Array} */ (row.bytes).length;
    row.kept = false;
    row.bytes = undefined;
  }
}
