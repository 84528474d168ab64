import type { Gap } from '../../contract/reading.ts';
import { rangesOf, type SeqRange, SeqSet } from '../../contract/seq-ranges.ts';
import { withFinalTime } from './journal.ts';
import { type EntrySource, isNumbered, readRecords, type StoredRecord } from './read-entries.ts';
import { decodeReading, type StoredGap } from './record.ts';
import { type Segment, SLOTS_PER_BLOCK } from './segment.ts';

/** What is to go from a segment: told first, then taken. */
export interface Removal {
  /** Absent when everything that goes has been released already. */
  readonly gap: Gap | undefined;
  /** Readings among it that were waiting. */
  readonly readings: readonly number[];
  /** Gap records that would go with the rest and speak of other epochs: to be told again. */
  readonly carried: readonly StoredGap[];
}

/**
 * Every second reading of the segment, counted in the file, so that it is the same ones again after a crash.
 * @throws what the file system says
 */
export async function planThinning(source: EntrySource, segment: Segment): Promise<Removal> {
  const records = await readRecords(source.files, source.place, segment);
  const victims = everySecondReading(records).filter(({ seq }) => segment.unreleased.has(seq));
  return {
    gap: gapOf(source, victims, 'thinned', victims.length),
    readings: victims.map(({ seq }) => seq),
    carried: [],
  };
}

/**
 * Everything in the oldest segment. Gap records in it that speak of this epoch are told in the new one, whose count takes
 * theirs in; so an outage of years leaves one record, not thousands.
 */
export async function planDrop(source: EntrySource, segment: Segment): Promise<Removal> {
  // What cannot be read any more can still be dropped; only its times are not known then.
  const records = await readRecords(source.files, source.place, segment).catch(() => []);
  const waiting = [...segment.unreleased];
  const victims = records.filter(({ kind, seq }) => kind === 'reading' && segment.unreleased.has(seq));
  const gaps = segment.gaps.filter(({ seq }) => segment.unreleased.has(seq));
  const folded = gaps.filter(({ gap }) => gap.ofEpoch === source.place.epoch && gap.count !== undefined);
  const told = folded.reduce((sum, { gap }) => sum + (gap.count ?? 0), 0);
  const gap = gapOf(source, victims, 'dropped', waiting.length + told, waiting);
  const from = Math.min(gap?.from ?? Infinity, ...folded.map((entry) => entry.gap.from));
  const fromTsMs = folded.reduce((ts, entry) => Math.min(ts, entry.gap.fromTsMs ?? ts), gap?.fromTsMs ?? Infinity);
  return {
    gap: gap && { ...gap, from, ...(Number.isFinite(fromTsMs) && { fromTsMs }) },
    readings: waiting.filter((seq) => !gaps.some((entry) => entry.seq === seq)),
    carried: gaps.filter((entry) => !folded.includes(entry)),
  };
}

/** Leaves out of a segment's file what is not waiting any more: released, or told by a gap record. @throws JournalError */
export async function shrink(source: EntrySource, segment: Segment): Promise<void> {
  await rewrite(source, segment, await readRecords(source.files, source.place, segment));
}

/** Writes a segment's file again with those of the records that must stay. @throws JournalError */
export async function rewrite(
  { place, files }: EntrySource,
  segment: Segment,
  records: readonly StoredRecord[],
): Promise<void> {
  const kept = records.filter(({ kind, seq }) => kind !== 'end' && (kind !== 'reading' || segment.unreleased.has(seq)));
  const next = files.segments[files.segments.indexOf(segment) + 1];
  const content = {
    header: {
      deviceUid: place.deviceUid,
      epoch: place.epoch,
      index: segment.index,
      slots: Math.ceil(kept.length / SLOTS_PER_BLOCK) * SLOTS_PER_BLOCK,
      firstSeq: segment.firstSeq,
      rewritten: {
        lastSeq: Math.max(segment.lastSeq, next === undefined ? 0 : next.firstSeq - 1),
        numbered: kept.filter(isNumbered).length,
      },
      level: segment.level,
      retired: segment.header?.retired ?? false,
    },
    records: kept.map(({ slot }) => slot),
  };
  await files.replace(segment, content, (replacement) => {
    replacement.releasedUpTo = segment.releasedUpTo;
    replacement.gaps.push(...segment.gaps);
    replacement.settlements.push(...segment.settlements);
    indexRecords(segment, replacement, kept);
  });
}

function indexRecords(old: Segment, replacement: Segment, kept: readonly StoredRecord[]): void {
  let before = old.firstSeq - 1;
  kept.forEach((record, slot) => {
    if (slot % SLOTS_PER_BLOCK === 0) replacement.seqBeforeBlock.push(before);
    if (!isNumbered(record)) return;
    before = record.seq;
    if (old.unreleased.has(record.seq)) replacement.unreleased.add(record.seq);
  });
  for (const [bootKey, seqs] of old.pending) {
    const pending = new SeqSet(old.firstSeq, kept.length);
    for (const seq of seqs) if (replacement.unreleased.has(seq)) pending.add(seq);
    if (pending.size > 0) replacement.pending.set(bootKey, pending);
  }
}

function everySecondReading(records: readonly StoredRecord[]): readonly StoredRecord[] {
  return records.filter(({ kind }) => kind === 'reading').filter((_, rank) => rank % 2 === 1);
}

function gapOf(
  source: EntrySource,
  victims: readonly StoredRecord[],
  reason: 'thinned' | 'dropped',
  count: number,
  seqs: readonly number[] = victims.map(({ seq }) => seq),
): Gap | undefined {
  const [from, to] = [seqs.at(0), seqs.at(-1)];
  if (from === undefined || to === undefined) return undefined;
  const times = victims.map((record) => timeOf(source, record));
  return {
    ofEpoch: source.place.epoch,
    from,
    to,
    count,
    reason,
    ...(times.length > 0 && { fromTsMs: Math.min(...times), toTsMs: Math.max(...times) }),
  };
}

/** The reading's time; what the clock said then, where it never got a better one. */
function timeOf(source: EntrySource, { slot }: StoredRecord): number {
  const reading = decodeReading(slot);
  return (withFinalTime(reading, source.settlements) ?? reading).stamp.tsMs;
}

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
