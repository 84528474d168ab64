import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Faults } from './faults.ts';

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

/** After arrays got smaller they grow again by this factor with each receipt: twice in 15 arrays. */
const GROWTH = 1.05;
/** How long it is remembered at which size an array did not get through: a broker's limit can have been changed since. */
const CEILING_MS = 3_600_000;

/**
 * How long the arrays of the backlog may be. A broker of MQTT 3.1.1 with a limit acknowledges what is too large and drops it: no
 * receipt comes, and no error either. So an array whose receipt does not come is compared with smaller messages: where those get
 * through, arrays become shorter, down to a single reading. Where nothing gets through the server is slow, and size says nothing.
 */
export class ArraySizes {
  #limitBytes = Number.POSITIVE_INFINITY;
  #ceilingBytes = Number.POSITIVE_INFINITY;
  #ceilingSinceMs = Number.NEGATIVE_INFINITY;
  /** Largest message that got through since the last one that did not. */
  #goodBytes = 0;
  /** The smallest array without a receipt, until a smaller message has shown whether size is the reason. */
  #suspectBytes: number | undefined;
  #shrunk = 0;

  /** Most bytes of the next array's payload. */
  limitBytes(nowMs: number): number {
    this.#forgetCeiling(nowMs);
    return Math.min(this.#limitBytes, this.#ceilingBytes);
  }

  /** Whether the next message has to be a single entry, to see whether anything gets through. */
  probing(): boolean {
    return this.#suspectBytes !== undefined;
  }

  /** Largest size that has shown to be too large; undefined while there is none, or one array alone that may have been lost. */
  knownLimit(nowMs: number): number | undefined {
    this.#forgetCeiling(nowMs);
    return this.#shrunk > 1 ? this.#ceilingBytes : undefined;
  }

  /** A message got through. @returns the size of an array that did not, where that is now known to be for its size */
  passed(bytes: number, entries: number): number | undefined {
    this.#goodBytes = Math.max(this.#goodBytes, bytes);
    const suspect = this.#suspectBytes;
    this.#suspectBytes = undefined;
    if (suspect !== undefined && bytes < suspect) return suspect;
    if (entries > 1 && bytes * 2 >= this.#limitBytes) this.#limitBytes *= GROWTH;
    return undefined;
  }

  /** An array got no receipt in time, and nothing smaller that was sent after it did. */
  missed(bytes: number): void {
    this.#suspectBytes = Math.min(this.#suspectBytes ?? Number.POSITIVE_INFINITY, bytes);
  }

  /** An array of this size does not get through, and smaller messages do. */
  tooLarge(bytes: number, nowMs: number): void {
    this.#forgetCeiling(nowMs);
    if (bytes > this.#ceilingBytes) return;
    // What had passed at this size does not any more.
    if (this.#goodBytes >= bytes) this.#goodBytes = 0;
    this.#ceilingBytes = bytes - 1;
    this.#ceilingSinceMs = nowMs;
    this.#limitBytes = Math.max(Math.floor(bytes / 2), this.#goodBytes);
    this.#shrunk += 1;
  }

  /** The connection broke under it: perhaps the only way of this broker to say that it is too large. */
  brokeUnder(bytes: number): void {
    this.#limitBytes = Math.max(1, Math.min(this.#limitBytes, Math.floor(bytes / 2)));
  }

  /** Others are there now: what was missed was not missed for its size. */
  forgetSuspicion(): void {
    this.#suspectBytes = undefined;
  }

  #forgetCeiling(nowMs: number): void {
    if (nowMs - this.#ceilingSinceMs < CEILING_MS) return;
    this.#ceilingBytes = Number.POSITIVE_INFINITY;
    this.#ceilingSinceMs = Number.NEGATIVE_INFINITY;
    this.#shrunk = 0;
  }
}

/** An entry fails this often, while others get through, before it is set aside. */
const MOST_FAILURES = 3;
/** Then it is tried again: the broker may have been given another limit. */
const TRY_AGAIN_MS = 3_600_000;
/** More than these are not watched: then it is not a few entries that are at fault. */
const MOST_WATCHED = 1_000;

interface Watched {
  readonly epoch: string;
  readonly seq: number;
  failures: number;
  /** Monotonic ms until which it is left out. */
  untilMs: number;
  /** The broker itself said so, rather than that nothing came of it. */
  isRefused: boolean;
}

/** Entries that do not get through while others do. They stay in the journal and hold up nothing else. */
export class SetAside {
  readonly #watched = new Map<string, Watched>();

  /** It did not get through although others did. @returns whether it is set aside by that */
  failed(epoch: string, seq: number, nowMs: number): boolean {
    const key = keyOf(epoch, seq);
    const watched = this.#watched.get(key) ?? newlyWatched(epoch, seq);
    if (!this.#watched.has(key) && this.#watched.size >= MOST_WATCHED) return false;
    this.#watched.set(key, watched);
    watched.failures += 1;
    if (watched.failures < MOST_FAILURES) return false;
    watched.untilMs = nowMs + TRY_AGAIN_MS;
    return true;
  }

  /** The broker has said that it will never take it. */
  refused(epoch: string, seq: number, nowMs: number): void {
    const key = keyOf(epoch, seq);
    if (!this.#watched.has(key) && this.#watched.size >= MOST_WATCHED) return;
    const untilMs = nowMs + TRY_AGAIN_MS;
    this.#watched.set(key, { ...newlyWatched(epoch, seq), failures: MOST_FAILURES, untilMs, isRefused: true });
  }

  /** A new connection, perhaps to a broker with other limits. */
  forgetRefusals(): void {
    for (const [key, { isRefused }] of this.#watched) if (isRefused) this.#watched.delete(key);
  }

  has(epoch: string, seq: number, nowMs: number): boolean {
    return this.#watched.size > 0 && (this.#watched.get(keyOf(epoch, seq))?.untilMs ?? nowMs) > nowMs;
  }

  /** How many are left out at the moment. */
  count(nowMs: number): number {
    let count = 0;
    for (const { untilMs } of this.#watched.values()) if (untilMs > nowMs) count += 1;
    return count;
  }

  /** These got through, or are gone. */
  released(epoch: string, ranges: readonly SeqRange[]): void {
    if (this.#watched.size === 0) return;
    for (const [key, { epoch: itsEpoch, seq }] of this.#watched) {
      if (itsEpoch === epoch && ranges.some(([from, to]) => from <= seq && seq <= to)) this.#watched.delete(key);
    }
  }
}

function newlyWatched(epoch: string, seq: number): Watched {
  return { epoch, seq, failures: 0, untilMs: Number.NEGATIVE_INFINITY, isRefused: false };
}

function keyOf(epoch: string, seq: number): string {
  return `${epoch}/${seq}`;
}
