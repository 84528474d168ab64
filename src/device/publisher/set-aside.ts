import type { SeqRange } from '../../contract/seq-ranges.ts';

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
