import type { Clock } from '../platform/clock.ts';
import { createFaultLog } from '../platform/fault-log.ts';
import type { Log } from '../platform/log.ts';
import type { Progress } from '../platform/systemd.ts';
import type { ChangeSink } from './ingest/ingest.ts';
import type { QuarantineStore, QuarantineSummary } from './store/audit-store.ts';
import type { TrustedClock } from './trusted-clock.ts';

export interface QuarantineReviewParts {
  readonly store: Pick<QuarantineStore, 'judgeQuarantine' | 'quarantineSummary'>;
  readonly trusted: Pick<TrustedClock, 'revision' | 'state' | 'time'>;
  readonly changes: ChangeSink;
  readonly clock: Pick<Clock, 'sleep' | 'monotonicMs' | 'nowMs'>;
  readonly log: Log;
  readonly progress: Progress;
  /** Longest time for which it may idle without a beat. */
  readonly maxIdleMs: number;
}

/** Judges what waits in quarantine again: at the start, when the clock was set or became trustworthy, and now and then. */
export interface QuarantineReview {
  /** Loop. */
  run(signal: AbortSignal): Promise<void>;
}

const LOOK_MS = 2_000;
const AGAIN_MS = 600_000;
const TELL_MS = 30_000;
/** One transaction of some milliseconds; commits of what arrives come in between. */
const STEP_ITEMS = 200;
const PAUSE_MS = 20;
/** The store may be busy or hang; it is asked within this. */
const STEP_LIMIT_MS = 300_000;

export function createQuarantineReview(parts: QuarantineReviewParts): QuarantineReview {
  const { store, trusted, changes, clock, log, progress, maxIdleMs } = parts;
  const faults = createFaultLog(log, clock);
  let judgedRevision = -1;
  let judgedMs = Number.NEGATIVE_INFINITY;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let toldWaiting = 0;

  const isDue = (): boolean => {
    // A clock that is in doubt or contradicted must not decide what is right.
    const { kind } = trusted.state();
    if (kind === 'doubted' || kind === 'contradicted') return false;
    return trusted.revision() !== judgedRevision || clock.monotonicMs() - judgedMs >= AGAIN_MS;
  };

  const judgeAll = async (signal: AbortSignal): Promise<void> => {
    const revision = trusted.revision();
    let released = 0;
    if ((await store.quarantineSummary()).waiting > 0) {
      let nextId: number | undefined = 0;
      while (nextId !== undefined && isStillRight(revision)) {
        progress.beat(STEP_LIMIT_MS);
        const judged = await store.judgeQuarantine({ afterId: nextId, limit: STEP_ITEMS, time: trusted.time() });
        released += judged.released;
        if (judged.changes.length > 0) changes.publish(judged.changes, clock.nowMs());
        nextId = judged.nextId;
        if (nextId !== undefined) await clock.sleep(PAUSE_MS, signal);
      }
      if (released > 0) {
        log.info(
          { released },
          `${released} readings have left the quarantine: by the clock of now their time can be right`,
        );
      }
    }
    judgedRevision = revision;
    judgedMs = clock.monotonicMs();
    if (released > 0) lookedMs = Number.NEGATIVE_INFINITY;
  };
  const isStillRight = (revision: number): boolean => {
    const { kind } = trusted.state();
    return revision === trusted.revision() && kind !== 'doubted' && kind !== 'contradicted';
  };

  const lookNow = async (): Promise<void> => {
    if (clock.monotonicMs() - lookedMs < TELL_MS) return;
    lookedMs = clock.monotonicMs();
    tell(await store.quarantineSummary());
  };
  const tell = ({ waiting }: QuarantineSummary): void => {
    if (waiting > toldWaiting) faults.failed('QUARANTINE', { waiting }, waitingInWords(waiting));
    else if (waiting === 0 && toldWaiting > 0) faults.works({}, 'nothing waits in quarantine any more');
    toldWaiting = waiting;
  };

  return {
    async run(signal) {
      for (;;) {
        const waitMs = Math.min(LOOK_MS, maxIdleMs);
        progress.beat(STEP_LIMIT_MS);
        try {
          if (isDue()) await judgeAll(signal);
          await lookNow();
        } catch (error) {
          if (signal.aborted) throw error;
          faults.failed(
            'QUARANTINE_STORE',
            { error },
            `the quarantine cannot be judged now: ${(error as Error).message}`,
          );
        }
        progress.beat(waitMs);
        await clock.sleep(waitMs, signal);
      }
    },
  };
}

/** What a person has to know and can do. */
export function waitingInWords(waiting: number): string {
  return (
    `${waiting} readings wait in quarantine: their time cannot be right by this server's clock, or this version does not understand them. ` +
    'They are on disk. If the clock of this server is wrong, set it, and they are stored by themselves; ' +
    '"techtemp-server quarantine list" shows them'
  );
}
