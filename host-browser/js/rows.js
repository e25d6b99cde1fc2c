// @ts-check
// Which rows there are, by where they begin, and what has not been stored yet.

/**
 * A row; with bytes while they are not stored.
 * @typedef {{ start: number, bytes?: Uint8Array | undefined }} Row
 *
 * What a transaction has to do: put `bytes` at `start`; delete rows that begin in `start..end`; or keep only `keep` bytes of
 * the row at `start`.
 * @typedef {{ start: number, bytes?: Uint8Array, end?: number, keep?: number }} Change
 */

export class Rows {
  /** In order of `start`. @type {Row[]} */
  #rows;

  /** @param {number[]} starts in ascending order */
  constructor(starts) {
    this.#rows = starts.map((start) => ({ start }));
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
    this.#rows.splice(from, to - from, { start, bytes });
    changes.push({ start, bytes });
    return changes;
  }

  /** Nothing is left at or behind `len`. @param {number} len @returns {Change[]} */
  cut(len) {
    const from = this.#at(len);
    this.#rows.length = from;
    /** @type {Change[]} */
    const changes = [{ start: len, end: Infinity }];
    const last = this.#rows[from - 1];
    if (last) {
      const keep = len - last.start;
      if (last.bytes === undefined) changes.push({ start: last.start, keep });
      else if (last.bytes.length > keep) {
        last.bytes = last.bytes.slice(0, keep);
        changes.push({ start: last.start, bytes: last.bytes });
      }
    }
    return changes;
  }

  /** These changes are stored: their bytes need not be kept. @param {Change[]} changes */
  stored(changes) {
    for (const { start, bytes } of changes) {
      const row = this.#rows[this.#at(start)];
      if (bytes && row?.bytes === bytes) row.bytes = undefined;
    }
  }
}
