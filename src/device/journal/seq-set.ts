const BITS = 8;

/**
 * Numbers of one segment, one bit each: what a journal remembers of a hundred thousand readings in a dozen kilobytes.
 * Numbers are added in ascending order and never lie below the first.
 */
export class SeqSet {
  readonly #first: number;
  #bits: Uint8Array;
  #size = 0;
  /** No number of the set lies in a byte before this one; it only moves up, as the oldest numbers leave first. */
  #lowByte = 0;

  constructor(first: number, capacity: number) {
    this.#first = first;
    this.#bits = new Uint8Array(Math.ceil(capacity / BITS));
  }

  get size(): number {
    return this.#size;
  }

  add(seq: number): void {
    const bit = seq - this.#first;
    const byte = Math.floor(bit / BITS);
    if (byte >= this.#bits.length) this.#grow(byte + 1);
    if (this.has(seq)) return;
    this.#bits[byte] = this.#byte(byte) | (1 << (bit % BITS));
    this.#size += 1;
    this.#lowByte = Math.min(this.#lowByte, byte);
  }

  has(seq: number): boolean {
    const bit = seq - this.#first;
    return bit >= 0 && (this.#byte(Math.floor(bit / BITS)) & (1 << (bit % BITS))) !== 0;
  }

  delete(seq: number): boolean {
    if (!this.has(seq)) return false;
    const bit = seq - this.#first;
    const byte = Math.floor(bit / BITS);
    this.#bits[byte] = this.#byte(byte) & ~(1 << (bit % BITS));
    this.#size -= 1;
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
    if (this.#size === 0) return undefined;
    let bit = Math.max(0, from - this.#first, this.#lowByte * BITS);
    const end = this.#bits.length * BITS;
    while (bit < end) {
      if (bit % BITS === 0 && this.#byte(bit / BITS) === 0) bit += BITS;
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

  #byte(index: number): number {
    return this.#bits[index] ?? 0;
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(Math.max(bytes, this.#bits.length * 2));
    grown.set(this.#bits);
    this.#bits = grown;
  }
}
