import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import type { IngestSection } from '../config.ts';
import type { Committer, EndWaiting } from './committer.ts';
import type { Inbox, Intake, Taken, Waiting } from './inbox.ts';

export interface CommitLoopParts {
  readonly inbox: Inbox;
  readonly intake: Intake;
  readonly committer: Committer;
  /** Finds out what a message says, when its turn comes. */
  readonly decode: (waiting: Waiting) => Taken;
  readonly ingest: Live<IngestSection>;
  readonly clock: Clock;
  readonly log: Log;
}

/** A transaction is small enough not to hold up the readers of the store, however large the messages are. */
const MAX_GROUP_BYTES = 1_048_576;
/** At a stop: for what was taken to reach the disk. */
const DRAIN_LIMIT_MS = 10_000;

/** Takes what waits in the inbox to the store, group after group. */
export class CommitLoop {
  readonly #parts: CommitLoopParts;
  /** Messages taken from the inbox and not yet on disk. */
  #underway = 0;
  #isStopping = false;
  readonly #drained: Promise<void>;
  #resolveDrained!: () => void;

  constructor(parts: CommitLoopParts) {
    this.#parts = parts;
    this.#drained = new Promise((resolve) => {
      this.#resolveDrained = resolve;
    });
  }

  /** Messages that were read from the socket and are not yet on disk. */
  waiting(): number {
    return this.#parts.inbox.length + this.#underway;
  }

  /** At a stop: resolves when `run` has. A new connection for a new configuration has nothing to wait for. */
  async drained(): Promise<void> {
    if (this.#isStopping) await this.#drained;
  }

  /** Resolves at a stop, when what was taken is on disk or time is up. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, intake, log } = this.#parts;
    const giveUp = new AbortController();
    const over = new AbortController();
    const stop = async (): Promise<void> => {
      this.#isStopping = true;
      intake.stop();
      await clock.sleep(DRAIN_LIMIT_MS, over.signal);
      log.warn({ waiting: this.waiting() }, 'stopped before all that was taken could be stored; the broker keeps it');
      giveUp.abort(new Error('the time for storing at a stop is up'));
    };
    // Rejects only when it is called off.
    const onAbort = (): void => void stop().catch(() => undefined);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    const gaveUp = new Promise<void>((resolve) =>
      giveUp.signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    try {
      await Promise.race([this.#loop({ stop: signal, giveUp: giveUp.signal }), gaveUp]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      over.abort(new Error('stored'));
      this.#resolveDrained();
    }
  }

  /**
   * Group after group. While one is being written the next one is handed on only if it is full: then the store has no pause between
   * the two; otherwise it may still grow. They are reported in order.
   */
  async #loop(end: EndWaiting): Promise<void> {
    const { inbox, ingest, log } = this.#parts;
    let before = Promise.resolve();
    try {
      for (;;) {
        if (inbox.length === 0) await before;
        if (inbox.length === 0) {
          if (end.stop.aborted) return;
          await inbox.arrival();
          continue;
        }
        const { batchMessages } = ingest.current;
        const current = this.#bring(inbox.take(batchMessages, MAX_GROUP_BYTES), before, end);
        // Its failure is met when it is waited for, if not by then another has ended the loop.
        current.catch(() => undefined);
        await (inbox.length >= batchMessages ? before : current);
        before = current;
      }
    } catch (error) {
      if (end.giveUp.aborted) return;
      if (!end.stop.aborted || error !== end.stop.reason) throw error;
      log.warn(
        {},
        'stopped without storing all that was taken: the store waits for a person. The broker and the devices keep it',
      );
    }
  }

  async #bring(group: readonly Waiting[], before: Promise<void>, end: EndWaiting): Promise<void> {
    const { committer, decode, intake } = this.#parts;
    this.#underway += group.length;
    try {
      await committer.commit(group.map(decode), before, end);
    } finally {
      this.#underway -= group.length;
    }
    intake.letComeAgain();
  }
}
