import { countOfRanges, rangesInclude, rangesOf, type SeqRange, subtractRanges } from '../../contract/seq-ranges.ts';
import type { Urgency } from './send-window.ts';

/** Numbers of one message on their way: handed to the broker, not yet released. */
export interface Shipment {
  readonly epoch: string;
  readonly urgency: Urgency;
  readonly seqs: readonly number[];
}

interface Leg {
  /** What nobody has confirmed yet. */
  ranges: readonly SeqRange[];
  /** Monotonic ms at which the receipt is overdue; undefined until the broker has acknowledged. */
  dueMs: number | undefined;
}

/** What is on its way, so that nothing is sent twice for impatience, and so that a receipt that does not come is missed. */
export class InTransit {
  readonly #legs = new Map<Shipment, Leg>();

  add(shipment: Shipment): void {
    this.#legs.set(shipment, { ranges: rangesOf(shipment.seqs), dueMs: undefined });
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

  /** These numbers are stored. @returns whether one of them was on its way */
  confirm(epoch: string, stored: readonly SeqRange[]): boolean {
    let any = false;
    for (const [shipment, leg] of this.#legs) {
      if (shipment.epoch !== epoch) continue;
      const left = subtractRanges(leg.ranges, stored);
      if (countOfRanges(left) === countOfRanges(leg.ranges)) continue;
      any = true;
      leg.ranges = left;
      if (left.length === 0) this.#legs.delete(shipment);
    }
    return any;
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
