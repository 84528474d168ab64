import {
  countOfRanges,
  normaliseRanges,
  rangesInclude,
  rangesOf,
  type SeqRange,
  subtractRanges,
} from '../../contract/seq-ranges.ts';
import type { Urgency } from './send-window.ts';

/** Numbers of one message on their way: handed to the broker, not yet released. */
export interface Shipment {
  readonly epoch: string;
  readonly urgency: Urgency;
  readonly seqs: readonly number[];
  /** Size of the payload. */
  readonly bytes: number;
}

interface Leg {
  /** In the order in which they went out. */
  readonly order: number;
  /** What nobody has confirmed yet. */
  ranges: readonly SeqRange[];
  /** Receipts that were faster than the PUBACK; they count when that has come. */
  early: readonly SeqRange[];
  /** Monotonic ms at which the receipt is overdue; undefined until the broker has acknowledged. */
  dueMs: number | undefined;
}

/** A shipment and its place in the order in which they went out. */
export interface Sent {
  readonly shipment: Shipment;
  readonly order: number;
}

/** What is on its way, so that nothing is sent twice for impatience, and so that a receipt that does not come is missed. */
export class InTransit {
  readonly #legs = new Map<Shipment, Leg>();
  #order = 0;

  add(shipment: Shipment): void {
    this.#order += 1;
    this.#legs.set(shipment, { order: this.#order, ranges: rangesOf(shipment.seqs), early: [], dueMs: undefined });
  }

  /** It did not get through, or needs no receipt. */
  remove(shipment: Shipment): void {
    this.#legs.delete(shipment);
  }

  /** The broker has it; the receipt is awaited until `dueMs`. Nothing happens if the receipt was faster. */
  awaitReceipt(shipment: Shipment, dueMs: number): void {
    const leg = this.#legs.get(shipment);
    if (leg !== undefined) leg.dueMs = dueMs;
  }

  /** These numbers are stored. @returns the shipments of which some were on their way, oldest first */
  confirm(epoch: string, stored: readonly SeqRange[]): readonly Sent[] {
    const touched: Sent[] = [];
    for (const [shipment, leg] of this.#legs) {
      if (shipment.epoch !== epoch) continue;
      const left = subtractRanges(leg.ranges, stored);
      if (countOfRanges(left) === countOfRanges(leg.ranges)) continue;
      touched.push({ shipment, order: leg.order });
      leg.ranges = left;
      if (left.length === 0) this.#legs.delete(shipment);
    }
    return touched;
  }

  /** A receipt for what the broker has not acknowledged yet: kept until it has. @returns the numbers that are on their way */
  confirmEarly(epoch: string, stored: readonly SeqRange[]): readonly SeqRange[] {
    const found: SeqRange[] = [];
    for (const [shipment, leg] of this.#legs) {
      if (shipment.epoch !== epoch || leg.dueMs !== undefined) continue;
      const early = subtractRanges(leg.ranges, subtractRanges(leg.ranges, stored));
      leg.early = normaliseRanges([...leg.early, ...early]);
      found.push(...early);
    }
    return normaliseRanges(found);
  }

  /** What a receipt has named before the PUBACK came. */
  earlyOf(shipment: Shipment): readonly SeqRange[] {
    return this.#legs.get(shipment)?.early ?? [];
  }

  /** Those whose receipt has not come in time. */
  overdue(nowMs: number): readonly Sent[] {
    return [...this.#legs]
      .filter(([, { dueMs }]) => dueMs !== undefined && dueMs <= nowMs)
      .map(([shipment, { order }]) => ({ shipment, order }));
  }

  /** Gives up waiting for receipts; what the broker has not acknowledged stays. */
  forgetAwaited(): void {
    for (const [shipment, leg] of this.#legs) if (leg.dueMs !== undefined) this.#legs.delete(shipment);
  }

  clear(): void {
    this.#legs.clear();
  }

  has(epoch: string, seq: number): boolean {
    for (const [shipment, leg] of this.#legs) {
      if (shipment.epoch === epoch && rangesInclude(leg.ranges, seq)) return true;
    }
    return false;
  }

  /** When the first receipt is overdue, monotonic ms; Infinity when none is awaited. */
  nextDueMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.#legs.values()) nextMs = Math.min(nextMs, dueMs ?? Number.POSITIVE_INFINITY);
    return nextMs;
  }

  /** Messages of one kind. */
  messages(urgency: Urgency): number {
    let count = 0;
    for (const shipment of this.#legs.keys()) if (shipment.urgency === urgency) count += 1;
    return count;
  }

  /** Numbers of all kinds. */
  entries(): number {
    let count = 0;
    for (const { ranges } of this.#legs.values()) count += countOfRanges(ranges);
    return count;
  }
}
