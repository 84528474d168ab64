import type { EpochFiles } from './epoch-files.ts';
import type { EpochScan } from './epoch-scan.ts';
import { type Segment, slotOffset } from './segment.ts';

export interface EpochEndParts {
  readonly files: EpochFiles;
  readonly scan: Pick<EpochScan, 'place' | 'uncertain'>;
  /** Records in a segment that is added from now on; a multiple of 64. */
  readonly slotsPerSegment: () => number;
}

/** The end of an epoch: gives the next number, and finds room for its record. One caller at a time. */
export class EpochEnd {
  readonly #parts: EpochEndParts;
  /** The last segment may be appended to: it is whole, or was added in this run. */
  #tailIsSound: boolean;

  constructor(parts: EpochEndParts) {
    this.#parts = parts;
    this.#tailIsSound = parts.scan.uncertain === undefined;
  }

  /** A record with the next number is on disk. `pendingKey`: the key of its boot, where it waits for its time. */
  take(pendingKey?: string): Segment {
    const { tail, list } = this.#parts.files;
    if (tail === undefined) throw new RangeError(`${this.#parts.scan.place.directory} has no segment`);
    list.append(tail, pendingKey);
    return tail;
  }

  /** What a record takes on the disk: a segment when the last one is full, else nothing. */
  bytesToGrow(reserve: number): number {
    return this.hasSlot(reserve) ? 0 : slotOffset(this.#parts.slotsPerSegment());
  }

  /** @throws JournalError */
  async addSegment(releasedTo: number): Promise<void> {
    const { files, scan, slotsPerSegment } = this.#parts;
    await files.addSegment(slotsPerSegment(), files.list.stats.lastSeq + 1, scan.uncertain !== undefined, releasedTo);
    this.#tailIsSound = true;
  }

  /** Whether there is room for one record, with `reserve` more behind it. One slot more stays free: the end record's. */
  hasSlot(reserve: number): boolean {
    const { tail } = this.#parts.files;
    return tail !== undefined && this.#tailIsSound && tail.usedSlots + 1 + reserve < tail.slots;
  }
}
