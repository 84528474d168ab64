/** Entries as numbers in one array and texts in one table, for what goes between threads by the thousand. */
export interface Packed<Rest> {
  /** Entry after entry; a text by its place in the table, NOTHING where there is none, OTHER for the next one of `rest`. */
  readonly numbers: Float64Array;
  /** One text, cut where BETWEEN stands. */
  readonly texts: string;
  readonly rest: readonly Rest[];
}

/** Where a text or a number would stand. */
export const NOTHING = -1;
const OTHER = -2;
const FIRST_NUMBERS = 4_096;
/** No id and no topic that passed holds it. */
const BETWEEN = '\n';

export class Packer<Rest> {
  #numbers = new Float64Array(FIRST_NUMBERS);
  #length = 0;
  readonly #texts: string[] = [];
  readonly #places = new Map<string, number>();
  readonly #rest: Rest[] = [];

  number(value: number): void {
    if (this.#length === this.#numbers.length) {
      const longer = new Float64Array(this.#length * 2);
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    this.#numbers[this.#length] = value;
    this.#length += 1;
  }

  text(text: string | undefined): void {
    this.number(text === undefined ? NOTHING : this.#placeOf(text));
  }

  other(entry: Rest): void {
    this.number(OTHER);
    this.#rest.push(entry);
  }

  packed(): Packed<Rest> {
    // A copy: of a part of an array all of it would be cloned.
    return { numbers: this.#numbers.slice(0, this.#length), texts: this.#texts.join(BETWEEN), rest: this.#rest };
  }

  #placeOf(text: string): number {
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    const place = this.#texts.push(text) - 1;
    this.#places.set(text, place);
    return place;
  }
}

/** Gives it back in the order in which it was put in. */
export class Unpacker<Rest> {
  readonly #packed: Packed<Rest>;
  readonly #texts: readonly string[];
  #at = 0;
  #restAt = 0;

  constructor(packed: Packed<Rest>) {
    this.#packed = packed;
    this.#texts = packed.texts.split(BETWEEN);
  }

  isOver(): boolean {
    return this.#at >= this.#packed.numbers.length;
  }

  number(): number {
    const value = this.#packed.numbers[this.#at] ?? Number.NaN;
    this.#at += 1;
    return value;
  }

  text(): string {
    return this.#texts[this.number()] ?? '';
  }

  textOrNull(): string | null {
    return this.#texts[this.number()] ?? null;
  }

  /** The next entry where it is one that was not taken apart. */
  other(): Rest | undefined {
    if (this.#packed.numbers[this.#at] !== OTHER) return undefined;
    this.#at += 1;
    this.#restAt += 1;
    return this.#packed.rest[this.#restAt - 1];
  }
}
