import { dirname, join, resolve } from 'node:path';
import { openZone } from '../../calendar/local-time.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Live } from '../../platform/live.ts';
import type { Log } from '../../platform/log.ts';
import type { Progress } from '../../platform/systemd.ts';
import type { BackupSection, HouseSection } from '../config.ts';
import { type Backup, listBackups } from './backup-folder.ts';
import type { RunCommand } from './backup-process.ts';
import { type BackupState, readBackupState } from './backup-state.ts';

/** What is known of the backups, as found in their folder. */
export interface BackupReport {
  readonly newestMs: number | null;
  readonly bytes: number | null;
  /** What a person has to know; absent: all is as it should be. */
  readonly problem?: string;
}

export interface BackupSchedule {
  /** The newest look; undefined before the first. */
  report(): BackupReport | undefined;
  /** Loop: makes backups when they are due, and tests one now and then. */
  run(signal: AbortSignal): Promise<void>;
}

/** What is there now. */
export interface BackupsFound {
  /** Newest first. */
  readonly backups: readonly Pick<Backup, 'madeMs' | 'manifest'>[];
  readonly state: BackupState;
}

export interface BackupScheduleParts {
  readonly settings: Live<BackupSection>;
  readonly house: Live<HouseSection>;
  /** Looks at the folder of the backups and at what is noted of them. */
  readonly look: () => Promise<BackupsFound>;
  readonly runCommand: RunCommand;
  readonly clock: Clock;
  readonly log: Log;
  readonly progress: Progress;
  /** Longest time for which it may idle without a beat. */
  readonly maxIdleMs: number;
}

const DAY_MS = 86_400_000;
const LOOK_EVERY_MS = 60_000;
/** After the start the service has more urgent work. */
const FIRST_AFTER_MS = 120_000;
/** After a try that failed. */
const RETRY_MS = 3_600_000;
/** A backup is late when the newest one is this much older than it should be. */
const LATE_MS = 2 * DAY_MS;
/** A clock that was corrected leaves backups that seem to be from the future. */
const AHEAD_MS = 3_600_000;
const DEFAULT_FOLDER = 'backups';

/** The folder of the backups of this record. */
export function backupFolder({ folder }: Pick<BackupSection, 'folder'>, recordPath: string): string {
  return folder === '' ? join(dirname(recordPath), DEFAULT_FOLDER) : resolve(folder);
}

/** The last moment at which a backup was to be made; undefined: never. Pure. @param at such as 03:10 */
export function lastDueMs(at: string, nowMs: number, timeZone: string): number | undefined {
  if (at === 'never') return undefined;
  const [hour = 0, minute = 0] = at.split(':').map(Number);
  const zone = openZone(timeZone);
  const on = (ms: number): number => zone.instant({ ...zone.parts(ms), hour, minute, second: 0 });
  const today = on(nowMs);
  return today <= nowMs ? today : on(zone.addDays(nowMs, -1));
}

interface Found {
  readonly newestMs: number | null;
  readonly state: BackupState;
  /** The last moment at which one was to be made. */
  readonly dueMs: number | undefined;
}

/** What is wrong with the backups, from what was found; undefined: nothing. Pure. */
export function backupProblem({ newestMs, state, dueMs }: Found, nowMs: number): string | undefined {
  if (state.problem !== null) return `the last backup failed (${state.tried ?? 'time unknown'}): ${state.problem}`;
  if (dueMs !== undefined && newestMs !== null && nowMs - newestMs > LATE_MS)
    return `the newest backup is ${Math.floor((nowMs - newestMs) / DAY_MS)} days old`;
  if (dueMs !== undefined && newestMs === null && state.tried !== null) return 'there is no backup';
  if (state.afterProblem !== null) return `the command after the backup failed: ${state.afterProblem}`;
  if (state.testProblem !== null)
    return `the last test of a backup failed (${state.tested ?? 'time unknown'}): ${state.testProblem}`;
  return undefined;
}

/** A folder that cannot be read has no backups. */
export async function lookAtBackups(
  settings: Pick<BackupSection, 'folder'>,
  recordPath: string,
): Promise<BackupsFound> {
  const list = await listBackups(backupFolder(settings, recordPath)).catch(() => undefined);
  return { backups: list?.backups ?? [], state: await readBackupState(recordPath) };
}

export function createBackupSchedule(parts: BackupScheduleParts): BackupSchedule {
  const { settings, house, runCommand, clock, log, progress, maxIdleMs } = parts;
  let report: BackupReport | undefined;
  let told: string | undefined;
  let triedMonotonicMs = Number.NEGATIVE_INFINITY;

  const look = async (): Promise<Found> => {
    const nowMs = clock.nowMs();
    const { backups, state } = await parts.look();
    const newest = backups.find(({ madeMs }) => madeMs <= nowMs + AHEAD_MS);
    const dueMs = lastDueMs(settings.current.at, nowMs, house.current.timeZone);
    const newestMs = newest?.madeMs ?? null;
    const problem = backupProblem({ newestMs, state, dueMs }, nowMs);
    report = { newestMs, bytes: newest?.manifest.bytes ?? null, ...(problem !== undefined && { problem }) };
    if (problem !== told && problem !== undefined) log.warn({}, problem);
    if (problem !== told && problem === undefined) log.info({}, 'the backups are as they should be again');
    told = problem;
    return { newestMs, state, dueMs };
  };

  /** One command; a failure is told by the next look, from what the command noted. */
  const attempt = async (words: readonly string[], signal: AbortSignal): Promise<void> => {
    triedMonotonicMs = clock.monotonicMs();
    const { exitCode, lastLine } = await withBeats(progress, clock, maxIdleMs, runCommand(words, signal));
    if (exitCode !== 0) log.warn({ exitCode }, `techtemp-server ${words.join(' ')} failed: ${lastLine}`);
  };

  const step = async (signal: AbortSignal): Promise<void> => {
    const { newestMs, state, dueMs } = await look();
    if (clock.monotonicMs() - triedMonotonicMs < RETRY_MS) return;
    if (dueMs !== undefined && (newestMs === null || newestMs < dueMs)) {
      await attempt(['backup'], signal);
      await look();
      return;
    }
    const testedMs = state.tested === null ? Number.NEGATIVE_INFINITY : Date.parse(state.tested);
    const { testDays } = settings.current;
    if (newestMs === null || testDays === 0 || clock.nowMs() - testedMs < testDays * DAY_MS) return;
    await attempt(['restore', '--test'], signal);
    await look();
  };

  return {
    report: () => report,
    async run(signal) {
      const pieceMs = Math.min(LOOK_EVERY_MS, maxIdleMs);
      for (let waitedMs = 0; waitedMs < FIRST_AFTER_MS; waitedMs += pieceMs) {
        progress.beat(pieceMs);
        await clock.sleep(pieceMs, signal);
      }
      for (;;) {
        progress.beat(LOOK_EVERY_MS);
        await step(signal);
        progress.beat(pieceMs);
        await clock.sleep(pieceMs, signal);
      }
    },
  };
}

/** A backup takes as long as it takes: while the other process works, this loop does too. */
async function withBeats<T>(progress: Progress, clock: Clock, maxIdleMs: number, work: Promise<T>): Promise<T> {
  const end = new AbortController();
  const beating = (async () => {
    for (;;) {
      progress.beat(maxIdleMs);
      await clock.sleep(maxIdleMs, end.signal);
    }
  })().catch(() => undefined);
  try {
    return await work;
  } finally {
    end.abort();
    await beating;
  }
}
