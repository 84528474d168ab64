import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Progress } from '../common/progress.ts';
import { isBelievable, type ProbeTimeSync } from '../common/time-sync.ts';

export interface TrustedClockParts {
  readonly clock: Pick<Clock, 'sleep'>;
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
 * agent does.
 */
export function createTrustedClock({ clock, probe, log, progress, maxIdleMs }: TrustedClockParts): TrustedClock {
  let isTrusted = false;

  const ask = async (): Promise<void> => {
    const before = isTrusted;
    isTrusted = isBelievable(await probe());
    if (before && !isTrusted) log.warn({}, 'the clock of this machine is no longer synchronised');
    if (!before && isTrusted) log.debug({}, 'the clock of this machine is believed');
  };

  return {
    isTrusted: () => isTrusted,
    async begin() {
      await ask();
      if (!isTrusted)
        log.warn({}, 'the clock of this machine has not been set yet; times in the future are not judged by it');
    },
    async run(signal) {
      for (;;) {
        const waitMs = Math.min(isTrusted ? ASK_AGAIN_MS : ASK_MS, maxIdleMs);
        progress.beat(waitMs + PROBE_LIMIT_MS);
        await clock.sleep(waitMs, signal);
        await ask();
      }
    },
  };
}
