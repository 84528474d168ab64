/** Sets of sequence numbers as sorted, disjoint, inclusive ranges. Pure. */

/** Inclusive: `[from, to]`. */
export type SeqRange = readonly [from: number, to: number];

/** Sorted, merged copy; touching ranges become one. */
export function normaliseRanges(ranges: readonly SeqRange[]): readonly SeqRange[] {
  const merged: [number, number][] = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** The ranges that hold exactly these numbers, in any order. */
export function rangesOf(seqs: Iterable<number>): readonly SeqRange[] {
  return normaliseRanges(Array.from(seqs, (seq) => [seq, seq] as const));
}

/** Whether normalised ranges hold a number; binary search. */
export function rangesInclude(ranges: readonly SeqRange[], seq: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (range === undefined) return false;
    if (seq < range[0]) high = middle - 1;
    else if (seq > range[1]) low = middle + 1;
    else return true;
  }
  return false;
}

/** How many numbers the ranges hold. */
export function countOfRanges(ranges: readonly SeqRange[]): number {
  let count = 0;
  for (const [from, to] of ranges) count += to - from + 1;
  return count;
}

/** What is left of normalised ranges when the numbers of others are taken out; normalised. One pass over both. */
export function subtractRanges(ranges: readonly SeqRange[], taken: readonly SeqRange[]): readonly SeqRange[] {
  // A single range is normalised.
  const out = taken.length > 1 ? normaliseRanges(taken) : taken;
  const left: SeqRange[] = [];
  let index = 0;
  for (const [first, last] of ranges) {
    let from = first;
    for (let range = out[index]; range !== undefined && range[0] <= last; range = out[index]) {
      if (range[0] > from) left.push([from, range[0] - 1]);
      from = Math.max(from, range[1] + 1);
      // This one may reach into the next range, too.
      if (range[1] > last) break;
      index += 1;
    }
    if (from <= last) left.push([from, last]);
  }
  return left;
}

const BITS = 8;

/**
 * Numbers of one segment, one bit each: what a journal remembers of a hundred thousand readings in a dozen kilobytes.
 * Numbers are added in ascending order and never lie below the first.
 */
export class SeqSet {
  /** How many numbers it holds; changed here only. */
  size = 0;
  readonly #first: number;
  #bits: Uint8Array;
  /** No number of the set lies in a byte before this one; it only moves up, as the oldest numbers leave first. */
  #lowByte = 0;

  constructor(first: number, capacity: number) {
    this.#first = first;
    this.#bits = new Uint8Array(Math.ceil(capacity / BITS));
  }

  add(seq: number): void {
    const bit = seq - this.#first;
    const byte = Math.floor(bit / BITS);
    if (byte >= this.#bits.length) this.#grow(byte + 1);
    if (this.has(seq)) return;
    this.#bits[byte] = (this.#bits[byte] ?? 0) | (1 << (bit % BITS));
    this.size += 1;
    this.#lowByte = Math.min(this.#lowByte, byte);
  }

  has(seq: number): boolean {
    const bit = seq - this.#first;
    return bit >= 0 && ((this.#bits[Math.floor(bit / BITS)] ?? 0) & (1 << (bit % BITS))) !== 0;
  }

  delete(seq: number): boolean {
    if (!this.has(seq)) return false;
    const bit = seq - this.#first;
    const byte = Math.floor(bit / BITS);
    this.#bits[byte] = (this.#bits[byte] ?? 0) & ~(1 << (bit % BITS));
    this.size -= 1;
    return true;
  }

  /** Takes out what lies in `[from, to]`. @returns how many numbers that were */
  deleteRange(from: number, to: number): number {
    let removed = 0;
    for (let seq = this.next(from); seq !== undefined && seq <= to; seq = this.next(seq + 1)) {
      if (this.delete(seq)) removed += 1;
    }
    return removed;
  }

  /** The lowest number at or above `from`. */
  next(from: number): number | undefined {
    if (this.size === 0) return undefined;
    let bit = Math.max(0, from - this.#first, this.#lowByte * BITS);
    const end = this.#bits.length * BITS;
    while (bit < end) {
      if (bit % BITS === 0 && this.#bits[bit / BITS] === 0) bit += BITS;
      else if (this.has(this.#first + bit)) return this.#first + bit;
      else bit += 1;
    }
    return undefined;
  }

  /** The lowest number of all. */
  min(): number | undefined {
    const lowest = this.next(this.#first);
    if (lowest !== undefined) this.#lowByte = Math.floor((lowest - this.#first) / BITS);
    return lowest;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let seq = this.min(); seq !== undefined; seq = this.next(seq + 1)) yield seq;
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(Math.max(bytes, this.#bits.length * 2));
    grown.set(this.#bits);
    this.#bits = grown;
  }
}

/**
 * Sets of numbers as normalised ranges, each operation in one pass over both: a journal that was thinned twice leaves a range for
 * each reading, and a device may have millions of them. Pure.
 */

/** The numbers of 1..`last` that the ranges do not hold. */
export function complement(ranges: readonly SeqRange[], last: number): readonly SeqRange[] {
  const missing: SeqRange[] = [];
  let next = 1;
  for (const [from, to] of ranges) {
    if (from > last) break;
    if (from > next) missing.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= last) missing.push([next, last]);
  return missing;
}

/** What both hold. */
export function intersection(left: readonly SeqRange[], right: readonly SeqRange[]): readonly SeqRange[] {
  const both: SeqRange[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [a, b] = [left[i], right[j]];
    if (a === undefined || b === undefined) return both;
    const from = Math.max(a[0], b[0]);
    const to = Math.min(a[1], b[1]);
    if (from <= to) both.push([from, to]);
    if (a[1] < b[1]) i += 1;
    else j += 1;
  }
}

/** What the first holds and the second does not. */
export function difference(left: readonly SeqRange[], right: readonly SeqRange[]): readonly SeqRange[] {
  return intersection(left, complement(right, Number.MAX_SAFE_INTEGER));
}

/** What the ranges hold of one stretch; finds its place without a pass. */
export function within(ranges: readonly SeqRange[], [from, to]: SeqRange): readonly SeqRange[] {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as SeqRange)[1] < from) low = middle + 1;
    else high = middle;
  }
  const found: SeqRange[] = [];
  for (let index = low; index < ranges.length; index += 1) {
    const [first, last] = ranges[index] as SeqRange;
    if (first > to) break;
    found.push([Math.max(first, from), Math.min(last, to)]);
  }
  return found;
}

/** The lowest numbers of the ranges, `count` of them or all. */
export function lowest(ranges: readonly SeqRange[], count: number): readonly SeqRange[] {
  const taken: SeqRange[] = [];
  let left = count;
  for (const [from, to] of ranges) {
    if (left <= 0) break;
    taken.push([from, Math.min(to, from + left - 1)]);
    left -= to - from + 1;
  }
  return taken;
}
