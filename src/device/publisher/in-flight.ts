import {
  countOfRanges,
  normaliseRanges,
  rangesInclude,
  rangesOf,
  type SeqRange,
  subtractRanges,
} from '../../contract/seq-ranges.ts';
import type { Urgency } from './sender.ts';

/** Numbers of one message on their way: handed to the broker, not yet released. */
export interface OutgoingMessage {
  readonly epoch: string;
  readonly urgency: Urgency;
  readonly seqs: readonly number[];
  /** Size of the payload. */
  readonly bytes: number;
}

interface Awaited {
  /** In the order in which they went out. */
  readonly order: number;
  /** What is not confirmed yet. */
  ranges: readonly SeqRange[];
  /** Numbers in `ranges`. */
  count: number;
  /** Receipts that were faster than the PUBACK; they count when that has come. */
  early: readonly SeqRange[];
  /** Monotonic ms at which the receipt is overdue; undefined until the broker has acknowledged. */
  dueMs: number | undefined;
}

/** A outgoing and its place in the order in which they went out. */
export interface Sent {
  readonly outgoing: OutgoingMessage;
  readonly order: number;
}

/** What is on its way, so that nothing is sent twice for impatience, and so that a receipt that does not come is missed. */
export class InFlight {
  readonly #awaited = new Map<OutgoingMessage, Awaited>();
  #order = 0;
  /** Numbers of all kinds. Counted here only, where messages come and go. */
  entries = 0;
  /** Messages of each kind, counted in the same way. */
  readonly messages: Record<Urgency, number> = { live: 0, backlog: 0 };

  add(outgoing: OutgoingMessage): void {
    this.#order += 1;
    const { seqs, urgency } = outgoing;
    const awaited = { order: this.#order, ranges: rangesOf(seqs), count: seqs.length, early: [], dueMs: undefined };
    this.#awaited.set(outgoing, awaited);
    this.entries += seqs.length;
    this.messages[urgency] += 1;
  }

  /** It did not get through, needs no receipt, or has got it. */
  remove(outgoing: OutgoingMessage): void {
    const awaited = this.#awaited.get(outgoing);
    if (awaited === undefined) return;
    this.#awaited.delete(outgoing);
    this.entries -= awaited.count;
    this.messages[outgoing.urgency] -= 1;
  }

  /** The broker has it; the receipt is awaited until `dueMs`. Nothing happens if the receipt was faster. */
  awaitReceipt(outgoing: OutgoingMessage, dueMs: number): void {
    const awaited = this.#awaited.get(outgoing);
    if (awaited !== undefined) awaited.dueMs = dueMs;
  }

  /** These numbers are stored. @returns the messages of which some were on their way, oldest first */
  confirm(epoch: string, stored: readonly SeqRange[]): readonly Sent[] {
    const touched: Sent[] = [];
    for (const [outgoing, awaited] of this.#awaited) {
      if (outgoing.epoch !== epoch) continue;
      const left = subtractRanges(awaited.ranges, stored);
      const count = countOfRanges(left);
      if (count === awaited.count) continue;
      touched.push({ outgoing, order: awaited.order });
      this.entries += count - awaited.count;
      awaited.ranges = left;
      awaited.count = count;
      if (count === 0) this.remove(outgoing);
    }
    return touched;
  }

  /** A receipt for what the broker has not acknowledged yet: kept until it has. @returns the numbers that are on their way */
  confirmEarly(epoch: string, stored: readonly SeqRange[]): readonly SeqRange[] {
    const found: SeqRange[] = [];
    for (const [outgoing, awaited] of this.#awaited) {
      if (outgoing.epoch !== epoch || awaited.dueMs !== undefined) continue;
      const early = subtractRanges(awaited.ranges, subtractRanges(awaited.ranges, stored));
      awaited.early = normaliseRanges([...awaited.early, ...early]);
      found.push(...early);
    }
    return normaliseRanges(found);
  }

  /** What a receipt has named before the PUBACK came. */
  earlyOf(outgoing: OutgoingMessage): readonly SeqRange[] {
    return this.#awaited.get(outgoing)?.early ?? [];
  }

  /** Those whose receipt has not come in time. */
  overdue(nowMs: number): readonly Sent[] {
    return [...this.#awaited]
      .filter(([, { dueMs }]) => dueMs !== undefined && dueMs <= nowMs)
      .map(([outgoing, { order }]) => ({ outgoing, order }));
  }

  /** Gives up waiting for receipts; what the broker has not acknowledged stays. */
  forgetAwaited(): void {
    for (const [outgoing, { dueMs }] of this.#awaited) if (dueMs !== undefined) this.remove(outgoing);
  }

  clear(): void {
    for (const outgoing of this.#awaited.keys()) this.remove(outgoing);
  }

  has(epoch: string, seq: number): boolean {
    for (const [outgoing, awaited] of this.#awaited) {
      if (outgoing.epoch === epoch && rangesInclude(awaited.ranges, seq)) return true;
    }
    return false;
  }

  /** When the first receipt is overdue, monotonic ms; Infinity when none is awaited. */
  nextDueMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.#awaited.values()) nextMs = Math.min(nextMs, dueMs ?? Number.POSITIVE_INFINITY);
    return nextMs;
  }
}

/** Epochs with numbers by ranges, as they are remembered across restarts. */
export type AcknowledgedRanges = Readonly<Record<string, readonly SeqRange[]>>;

/** On disk. Fewer than there are is safe: what is not remembered is sent again before a receipt for it is believed. */
const MOST_REMEMBERED_RANGES = 200;

/**
 * The numbers that a broker has acknowledged to us and that are still in a journal: the only ones for which a receipt can be true.
 * After a restart it holds what was noted last, never more.
 */
export class Acknowledged {
  readonly #byEpoch = new Map<string, SeqRange[]>();

  constructor(remembered: AcknowledgedRanges = {}) {
    for (const [epoch, ranges] of Object.entries(remembered)) this.#byEpoch.set(epoch, [...normaliseRanges(ranges)]);
  }

  add(epoch: string, seqs: readonly number[]): void {
    const ranges = this.#byEpoch.get(epoch) ?? [];
    this.#byEpoch.set(epoch, ranges);
    for (const seq of seqs) addTo(ranges, seq);
  }

  /** `most`: of more ranges than this the oldest are forgotten. */
  addRanges(epoch: string, added: readonly SeqRange[], most: number): void {
    const ranges = normaliseRanges([...(this.#byEpoch.get(epoch) ?? []), ...added]);
    this.#byEpoch.set(epoch, ranges.slice(-most));
  }

  has(epoch: string, seq: number): boolean {
    const ranges = this.#byEpoch.get(epoch) ?? [];
    const range = ranges[indexOf(ranges, seq)];
    return range !== undefined && range[0] <= seq;
  }

  /** Of normalised ranges those numbers that it holds; normalised. */
  among(epoch: string, asked: readonly SeqRange[]): readonly SeqRange[] {
    const ranges = this.#byEpoch.get(epoch) ?? [];
    const found: SeqRange[] = [];
    let index = 0;
    for (const [from, to] of asked) {
      index = Math.max(index, indexOf(ranges, from));
      for (let range = ranges[index]; range !== undefined && range[0] <= to; range = ranges[index]) {
        found.push([Math.max(from, range[0]), Math.min(to, range[1])]);
        if (range[1] > to) break;
        index += 1;
      }
    }
    return found;
  }

  /** These have left the journal. */
  remove(epoch: string, taken: readonly SeqRange[]): void {
    const ranges = this.#byEpoch.get(epoch);
    if (ranges === undefined || taken.length === 0) return;
    const left = [...subtractRanges(ranges, taken)];
    if (left.length === 0) this.#byEpoch.delete(epoch);
    else this.#byEpoch.set(epoch, left);
  }

  ranges(epoch: string): readonly SeqRange[] {
    return this.#byEpoch.get(epoch) ?? [];
  }

  /** What was said of another record is no word about this one. */
  clear(): void {
    this.#byEpoch.clear();
  }

  count(): number {
    let count = 0;
    for (const ranges of this.#byEpoch.values()) count += countOfRanges(ranges);
    return count;
  }

  /** What to note on disk; `epochs`: those whose journals are still there. */
  toRemember(epochs: ReadonlySet<string>): AcknowledgedRanges {
    const kept = [...this.#byEpoch].filter(([epoch]) => epochs.has(epoch));
    return Object.fromEntries(kept.map(([epoch, ranges]) => [epoch, ranges.slice(-MOST_REMEMBERED_RANGES)]));
  }
}

/** The first range that ends at `seq` or after it; where there is none, the length. */
function indexOf(ranges: readonly SeqRange[], seq: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.[1] ?? 0) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** In place; nearly always the number comes right behind the last one. */
function addTo(ranges: SeqRange[], seq: number): void {
  const index = indexOf(ranges, seq);
  const next = ranges[index];
  if (next !== undefined && next[0] <= seq) return;
  const before = ranges[index - 1];
  const joinsBefore = before !== undefined && before[1] === seq - 1;
  const joinsNext = next !== undefined && next[0] === seq + 1;
  if (joinsBefore && joinsNext) ranges.splice(index - 1, 2, [before[0], next[1]]);
  else if (joinsBefore) ranges[index - 1] = [before[0], seq];
  else if (joinsNext) ranges[index] = [seq, next[1]];
  else ranges.splice(index, 0, [seq, seq]);
}
