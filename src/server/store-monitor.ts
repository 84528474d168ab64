import type { Clock } from '../platform/clock.ts';
import type { Live } from '../platform/live.ts';
import type { Log } from '../platform/log.ts';
import type { Progress } from '../platform/systemd.ts';
import type { StoreSection } from './config.ts';
import { LARGE_LOG_BYTES, type Store, type StoreHealth } from './store/store.ts';

export interface StoreMonitorParts {
  readonly store: Pick<Store, 'health' | 'trimLog'>;
  readonly settings: Live<StoreSection>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly log: Log;
  readonly progress: Progress;
  /** Longest time for which it may idle without a beat. */
  readonly maxIdleMs: number;
}

/** Looks after the store while the server runs: logs when it stops working, when it works again, and when room runs out. */
export interface StoreMonitor {
  /** The newest look; undefined before the first. */
  health(): StoreHealth | undefined;
  /** What a person has to know, on one line; undefined while all is well. */
  problem(): string | undefined;
  /** Loop. */
  run(signal: AbortSignal): Promise<void>;
}

const LOOK_EVERY_MS = 30_000;
/** The store answers within this time even when it does not work. */
const HEALTH_LIMIT_MS = 10_000;
const BYTES_PER_MB = 1024 * 1024;

export function createStoreMonitor(parts: StoreMonitorParts): StoreMonitor {
  const { store, settings, clock, log, progress, maxIdleMs } = parts;
  let health: StoreHealth | undefined;
  let told: string | undefined;

  const problem = (): string | undefined => {
    if (health === undefined) return undefined;
    if (!health.isOk) return `the store does not work: ${health.problem ?? 'it does not say why'}`;
    const { freeBytes, logBytes = null } = health;
    const { minFreeBytes } = settings.current;
    if (logBytes !== null && logBytes > LARGE_LOG_BYTES) return largeLog(logBytes);
    if (freeBytes === null || freeBytes >= minFreeBytes) return undefined;
    return `only ${inMb(freeBytes)} MB are free where the store lies (min_free_mb is ${inMb(minFreeBytes)}); make room`;
  };

  const look = async (): Promise<void> => {
    health = await store.health(HEALTH_LIMIT_MS);
    // Once the long reader has ended, the log goes back to its size.
    if (health.isOk && (health.logBytes ?? 0) > LARGE_LOG_BYTES) await store.trimLog().catch(() => undefined);
    const now = problem();
    // Sizes change with every look: the same trouble is told once.
    const kind = now === undefined ? undefined : health.isOk ? now.slice(0, 'only'.length) : now;
    if (kind === told) return;
    if (now === undefined) log.info({}, 'the store is well again');
    else if (health.isOk) log.warn({}, now);
    else log.error({}, now);
    told = kind;
  };

  return {
    health: () => health,
    problem,
    async run(signal) {
      for (;;) {
        const waitMs = Math.min(LOOK_EVERY_MS, maxIdleMs);
        progress.beat(HEALTH_LIMIT_MS);
        await look();
        progress.beat(waitMs);
        await clock.sleep(waitMs, signal);
      }
    },
  };
}

/** For people. */
export function largeLog(logBytes: number): string {
  return (
    `the log of the record has ${inMb(logBytes)} MB: another program has been reading the database for a long time, so that the log ` +
    'cannot be written back; end that program (sudo fuser -v on the database file shows it)'
  );
}

function inMb(bytes: number): number {
  return Math.floor(bytes / BYTES_PER_MB);
}
