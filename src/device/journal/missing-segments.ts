import { rangesOf, type SeqRange } from '../../contract/seq-ranges.ts';
import type { EntrySource } from './read-entries.ts';
import { rewrite } from './removal.ts';
import type { Segment } from './segment.ts';
import { isNumbered, readRecords, type StoredRecord } from './stored-records.ts';

/**
 * Segments of an epoch that are not at their path any more, with what can still be read of them: a file that is open stays
 * readable after it was removed, moved or hidden. One caller at a time.
 */
export class MissingSegments {
  readonly #source: EntrySource;
  readonly #readable = new Map<Segment, readonly StoredRecord[]>();

  constructor(source: EntrySource) {
    this.#source = source;
  }

  get any(): boolean {
    return this.#readable.size > 0;
  }

  /** Looks, and reads what can be read. @returns the numbers that wait and cannot be read any more. @throws JournalError */
  async find(): Promise<readonly SeqRange[]> {
    const { files, place } = this.#source;
    const lost: SeqRange[] = [];
    for (const segment of await files.missing()) {
      const records = await readRecords(files, place, segment).catch(() => []);
      const there = new Set(records.filter(isNumbered).map(({ seq }) => seq));
      lost.push(...rangesOf([...segment.unreleased].filter((seq) => !there.has(seq))));
      this.#readable.set(segment, records);
    }
    return lost;
  }

  /** Writes the files again, with what was read and still waits. @throws JournalError */
  async putBack(): Promise<void> {
    const { files } = this.#source;
    await files.makeDirectory();
    for (const [segment, records] of this.#readable) {
      if (files.segments.includes(segment)) await rewrite(this.#source, segment, records);
      this.#readable.delete(segment);
    }
  }
}
