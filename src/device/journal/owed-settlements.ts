import { type Journal, JournalError, type Settlement } from './journal.ts';

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
