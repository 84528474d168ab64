import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { ArraySizes } from './array-sizes.ts';
import type { Faults } from './faults.ts';
import { SetAside } from './set-aside.ts';

export interface DeliveryLimitsParts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Log;
  readonly faults: Faults;
}

/** What does not get through while other messages do: arrays that are too large, and single entries. Reports both as faults. */
export class DeliveryLimits {
  readonly sizes = new ArraySizes();
  readonly #aside = new SetAside();
  readonly #parts: DeliveryLimitsParts;
  /** The fault about the message size is told. */
  #hasToldLimit = false;

  constructor(parts: DeliveryLimitsParts) {
    this.#parts = parts;
  }

  /** A new session: the broker may have other limits. */
  begin(): void {
    this.#aside.forgetRefusals();
    this.#parts.faults.works('oversize');
  }

  /** An entry alone got no further while others did. */
  failedAlone(epoch: string, seq: number, why: string): void {
    if (!this.#aside.failed(epoch, seq, this.#parts.clock.monotonicMs())) return;
    this.#reportAside(epoch, seq, why);
  }

  /** The broker has refused an entry alone, and will always. */
  refusedAlone(epoch: string, seq: number, error: Error): void {
    this.#aside.refused(epoch, seq, this.#parts.clock.monotonicMs());
    this.#reportAside(epoch, seq, error.message);
  }

  /** An array of this size does not get through. */
  arrayTooLarge(bytes: number): void {
    const { clock, faults, log } = this.#parts;
    const nowMs = clock.monotonicMs();
    this.sizes.tooLarge(bytes, nowMs);
    const smaller = Math.round(this.sizes.limitBytes(nowMs));
    const what = `an array of ${bytes} bytes does not get through, smaller messages do; the next has ${smaller} bytes at most`;
    log.info({ bytes, smaller }, `MQTT: ${what}`);
    const limit = this.sizes.knownLimit(nowMs);
    if (limit === undefined) return;
    this.#hasToldLimit = true;
    const cause = 'is there a limit at the broker (message_size_limit in Mosquitto)?';
    faults.failed(
      'message size',
      'MESSAGE_TOO_LARGE',
      `messages above ${limit} bytes do not get through; ${cause} Readings go out in smaller arrays`,
    );
  }

  /** Ends the fault about the message size when its limit is forgotten. */
  lookAtClock(nowMs: number): void {
    if (!this.#hasToldLimit || this.sizes.knownLimit(nowMs) !== undefined) return;
    this.#hasToldLimit = false;
    this.#parts.faults.works('message size');
  }

  isSetAside(epoch: string, seq: number): boolean {
    return this.#aside.has(epoch, seq, this.#parts.clock.monotonicMs());
  }

  /** Entries that are set aside at the moment. */
  setAside(nowMs = this.#parts.clock.monotonicMs()): number {
    return this.#aside.count(nowMs);
  }

  /** These have left the journal. */
  released(epoch: string, ranges: readonly SeqRange[]): void {
    this.#aside.released(epoch, ranges);
  }

  #reportAside(epoch: string, seq: number, why: string): void {
    const count = this.setAside();
    const others = count > 1 ? ` (${count} in all)` : '';
    const message = `entry ${seq} of journal ${epoch} is set aside${others}: ${why}. It stays in the journal and is tried again later`;
    this.#parts.faults.failed('oversize', 'ENTRY_SET_ASIDE', message);
  }
}
