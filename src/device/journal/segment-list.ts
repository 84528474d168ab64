import type { JournalStats } from './journal.ts';
import { NOTE_FILE_BYTES } from './release-note.ts';
import { addPending, countPending, forget, markReleased, recall, releasedTo, type Segment } from './segment.ts';

/**
 * The segments of one epoch, oldest first, and what waits in them. Each change of a segment's numbers goes through this list, so
 * that the counters are right at any time without asking the segments.
 */
export class SegmentList {
  readonly all: readonly Segment[];
  /** The one that is appended to. */
  tail: Segment | undefined;
  /** `dropped` is counted by the epoch's upkeep, the rest here. */
  readonly stats: { -readonly [Key in keyof JournalStats]: JournalStats[Key] };
  readonly #segments: Segment[];

  constructor(segments: readonly Segment[], lastSeq: number) {
    this.#segments = [...segments];
    this.all = this.#segments;
    this.stats = { unreleased: 0, pending: 0, lastSeq, dropped: 0, bytesOnDisk: NOTE_FILE_BYTES };
    this.tail = segments.at(-1);
    for (const segment of segments) this.#count(segment, 1);
  }

  add(segment: Segment): void {
    this.#segments.push(segment);
    this.tail = segment;
    this.#count(segment, 1);
  }

  /** `replacement` is complete: its numbers are counted now. */
  replace(segment: Segment, replacement: Segment): void {
    this.#segments[this.#segments.indexOf(segment)] = replacement;
    this.tail = this.#segments.at(-1);
    this.#count(segment, -1);
    this.#count(replacement, 1);
  }

  remove(segment: Segment): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    this.tail = this.#segments.at(-1);
    this.#count(segment, -1);
  }

  /** The last segment holds an entry more, with the next number. `pendingKey`: the key of its boot, where it waits for its time. */
  append(tail: Segment, pendingKey?: string): void {
    const { stats } = this;
    stats.lastSeq += 1;
    stats.unreleased += 1;
    tail.lastSeq = stats.lastSeq;
    tail.unreleased.add(stats.lastSeq);
    if (pendingKey === undefined) return;
    addPending(tail, pendingKey, stats.lastSeq);
    stats.pending += 1;
  }

  /** Takes note of a release; what waits for its time stays. @returns how many went */
  release(from: number, to: number): number {
    let released = 0;
    for (const segment of this.#segments) {
      if (to < segment.firstSeq || from > segment.lastSeq) continue;
      released += markReleased(segment, from, to);
    }
    this.stats.unreleased -= released;
    return released;
  }

  /** Gives up on numbers for good, pending or not. */
  forget(from: number, to: number, segments: readonly Segment[] = this.#segments): void {
    for (const segment of segments) this.#change(segment, () => forget(segment, from, to));
  }

  /** Released entries wait again. @returns how many */
  recall(segment: Segment, seqs: readonly number[]): number {
    return this.#change(segment, () => seqs.filter((seq) => recall(segment, seq)).length);
  }

  pendingOf(bootKey: string): number {
    return this.#segments.reduce((sum, { pending }) => sum + (pending.get(bootKey)?.size ?? 0), 0);
  }

  /** The readings of that boot have their time now. */
  settle(bootKey: string): void {
    for (const segment of this.#segments) this.#change(segment, () => segment.pending.delete(bootKey));
  }

  /** Keys of the boots that have readings with a pending time. */
  pendingKeys(): readonly string[] {
    const keys = this.#segments.flatMap(({ pending }) =>
      [...pending].filter(([, seqs]) => seqs.size > 0).map(([key]) => key),
    );
    return [...new Set(keys)];
  }

  /** The lowest number that waits for its release. */
  oldest(): number | undefined {
    if (this.stats.unreleased === 0) return undefined;
    for (const { unreleased } of this.#segments) if (unreleased.size > 0) return unreleased.min();
    return undefined;
  }

  /** Everything up to this number has been released or given up on; at most `lastSeq`. */
  releasedTo(lastSeq: number): number {
    return this.stats.unreleased === 0 ? lastSeq : releasedTo(this.#segments, lastSeq);
  }

  #change<T>(segment: Segment, action: () => T): T {
    this.#count(segment, -1);
    try {
      return action();
    } finally {
      this.#count(segment, 1);
    }
  }

  #count(segment: Segment, sign: 1 | -1): void {
    this.stats.unreleased += sign * segment.unreleased.size;
    this.stats.pending += sign * countPending(segment);
    this.stats.bytesOnDisk += sign * segment.bytes;
  }
}
