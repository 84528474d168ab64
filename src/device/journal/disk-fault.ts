import type { Clock } from '../../platform/clock.ts';
import { type Journal, JournalError, type OnJournalEvent, type Settlement } from './journal.ts';

/** A disk that refused is tried again with the next reading after this long, doubling up to the limit. */
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;

/** Whether the disk refuses, since when it need not be tried, and what has been reported of it. */
export class DiskFault {
  /** Why the disk takes no readings; undefined while it takes them. Changed here only. */
  error: JournalError | undefined;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #onEvent: OnJournalEvent;
  #retryAtMs = 0;
  #retryInMs = RETRY_MIN_MS;
  #lastComplaint = '';

  constructor(clock: Pick<Clock, 'monotonicMs'>, onEvent: OnJournalEvent) {
    this.#clock = clock;
    this.#onEvent = onEvent;
  }

  /** Whether the disk is to be tried with the next reading. */
  mayTry(): boolean {
    return this.error === undefined || this.#clock.monotonicMs() >= this.#retryAtMs;
  }

  /** The disk has refused, perhaps again. */
  begin(error: JournalError, path: string): void {
    // The message may name another file each time; the kind of fault is what people want to know of.
    if (this.error?.code !== error.code) {
      this.#onEvent({ level: 'error', message: `readings go to memory: ${error.message}`, path, err: error });
    }
    this.#retryInMs = this.error === undefined ? RETRY_MIN_MS : Math.min(this.#retryInMs * 2, RETRY_MAX_MS);
    this.error = error;
    this.#retryAtMs = this.#clock.monotonicMs() + this.#retryInMs;
  }

  /** The disk has taken a reading. @returns whether it had refused before */
  end(path: string): boolean {
    if (this.error === undefined) return false;
    this.error = undefined;
    this.#lastComplaint = '';
    this.#onEvent({ level: 'info', message: 'readings go to disk again', path });
    return true;
  }

  /** Something beside the appends went wrong. Reported once per kind: it goes wrong with each of them. */
  complain(err: unknown): void {
    const message = err instanceof Error ? err.message : String(err);
    if (message === this.#lastComplaint) return;
    this.#lastComplaint = message;
    this.#onEvent({ level: 'warn', message, err });
  }

  /** For what goes on beside the appends: reports what goes wrong, and does not fail. */
  async tolerate(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.complain(error);
    }
  }
}

/** Settlements that a disk refused, until it takes them. One caller at a time. */
export class OwedSettlements {
  readonly #onRefusal: (error: JournalError) => void;
  #owed: readonly { readonly journal: Journal; readonly settlement: Settlement }[] = [];

  constructor(onRefusal: (error: JournalError) => void) {
    this.#onRefusal = onRefusal;
  }

  /** Settles now, or later where the disk refuses. @returns how many readings got their time now */
  async settle(journal: Journal, settlement: Settlement): Promise<number> {
    try {
      return await journal.settle(settlement);
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      this.#owed = [...this.#owed, { journal, settlement }];
      this.#onRefusal(error);
      return 0;
    }
  }

  /** Tries again what was refused. */
  async settleAll(): Promise<void> {
    if (this.#owed.length === 0) return;
    const owed = this.#owed;
    this.#owed = [];
    for (const { journal, settlement } of owed) await this.settle(journal, settlement);
  }
}
