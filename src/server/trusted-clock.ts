import type { Clock } from '../common/clock.ts';
import { ClockSteps } from '../common/clock-steps.ts';
import type { Log } from '../common/log.ts';
import type { Progress } from '../common/progress.ts';
import { isBelievable, type ProbeTimeSync } from '../common/time-sync.ts';

export interface TrustedClockParts {
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'suspendedMs' | 'sleep'>;
  readonly probe: ProbeTimeSync;
  readonly log: Log;
  readonly progress: Progress;
  /** Longest time for which it may idle without a beat. */
  readonly maxIdleMs: number;
}

/** Knows whether this machine's wall clock can be believed. */
export interface TrustedClock {
  isTrusted(): boolean;
  /** Asks once; to be awaited before anything depends on the answer. */
  begin(): Promise<void>;
  /** Loop: asks again and again. */
  run(signal: AbortSignal): Promise<void>;
}

/** While nobody has set the clock yet: the first good answer should be noticed soon. */
const ASK_MS = 2_000;
/** Once it is set it stays so until the machine is started anew; asked only to be told of a time service that lost its way. */
const ASK_AGAIN_MS = 60_000;
/** A probe asks two programs at most, for five seconds each. */
const PROBE_LIMIT_MS = 15_000;

/**
 * Asks the machine's time service. Where there is nobody to ask (no systemd: a PC, a container), the clock is believed, as the
 * agent does. A clock that was believed and is stepped is in doubt until the time service has synchronised it anew or it is back where
 * it was; where nobody can be asked, until the server is started anew.
 */
export function createTrustedClock({ clock, probe, log, progress, maxIdleMs }: TrustedClockParts): TrustedClock {
  let isTrusted = false;
  const steps = new ClockSteps(clock);

  const isInDoubt = (): boolean => {
    const { stepMs } = steps.look();
    if (stepMs !== undefined) {
      log.warn(
        { stepMs },
        `the wall clock jumped by ${(stepMs / 1000).toFixed(1)} s; times are not judged by it until it is confirmed`,
      );
    }
    return steps.doubtedSinceMs !== undefined;
  };

  const ask = async (): Promise<void> => {
    const before = isTrusted;
    if (isInDoubt()) {
      const sinceMs = steps.doubtedSinceMs;
      const isConfirmed = steps.isBack() || (await probe(sinceMs)) === 'synced';
      // Stepped again meanwhile: the answer is about another time.
      if (!isConfirmed || steps.doubtedSinceMs !== sinceMs) return;
      isTrusted = true;
      steps.believe();
      log.info({}, 'the clock of this machine is confirmed');
      return;
    }
    isTrusted = isBelievable(await probe());
    if (!before && isTrusted) steps.believe();
    if (before && !isTrusted) log.warn({}, 'the clock of this machine is no longer synchronised');
    if (!before && isTrusted) log.debug({}, 'the clock of this machine is believed');
  };

  return {
    isTrusted: () => isTrusted && !isInDoubt(),
    async begin() {
      await ask();
      if (!isTrusted)
        log.warn({}, 'the clock of this machine has not been set yet; times in the future are not judged by it');
    },
    async run(signal) {
      for (;;) {
        const waitMs = Math.min(isTrusted && !isInDoubt() ? ASK_AGAIN_MS : ASK_MS, maxIdleMs);
        progress.beat(waitMs + PROBE_LIMIT_MS);
        await clock.sleep(waitMs, signal);
        await ask();
      }
    },
  };
}
