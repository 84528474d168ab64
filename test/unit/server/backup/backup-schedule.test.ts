import { beforeEach, describe, expect, it } from 'vitest';
import type { Manifest } from '../../../../src/server/backup/backup-folder.ts';
import {
  type BackupReport,
  type BackupsFound,
  backupProblem,
  createBackupSchedule,
  lastDueMs,
} from '../../../../src/server/backup/backup-schedule.ts';
import type { BackupSection } from '../../../../src/server/config.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordingLog, recordingProgress, testLive } from '../../../support/recording.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const at = (text: string): number => Date.parse(text);

const state = { tried: null, problem: null, newest: null, afterProblem: null, tested: null, testProblem: null };

describe('when a backup is due', () => {
  it('is the last local moment, on days that clocks change too', () => {
    const due = (now: string): string => new Date(lastDueMs('03:10', at(now), 'Europe/Paris') ?? 0).toISOString();
    expect(due('2026-12-01T02:09:59Z')).toBe('2026-11-30T02:10:00.000Z');
    expect(due('2026-12-01T02:10:00Z')).toBe('2026-12-01T02:10:00.000Z');
    // Clocks go from 02:00 to 03:00 on 29 March, and from 03:00 to 02:00 on 25 October.
    expect(due('2026-03-29T12:00:00Z')).toBe('2026-03-29T01:10:00.000Z');
    expect(due('2026-10-25T12:00:00Z')).toBe('2026-10-25T02:10:00.000Z');
  });

  it('comes never where the owner says so', () => {
    expect(lastDueMs('never', Date.now(), 'UTC')).toBeUndefined();
  });
});

describe('what is wrong with the backups', () => {
  const nowMs = at('2026-12-01T12:00:00Z');
  const fine = { newestMs: nowMs - HOUR_MS, dueMs: nowMs - HOUR_MS, state };

  it('is nothing while the newest one is fresh, or none was to be made yet', () => {
    expect(backupProblem(fine, nowMs)).toBeUndefined();
    expect(backupProblem({ ...fine, newestMs: null }, nowMs)).toBeUndefined();
  });

  it.each([
    ['a failure', { state: { ...state, tried: 'T', problem: 'no room' } }, 'the last backup failed (T): no room'],
    ['age', { newestMs: nowMs - 3.5 * DAY_MS }, 'the newest backup is 3 days old'],
    ['none after a try', { newestMs: null, state: { ...state, tried: 'T' } }, 'there is no backup'],
    [
      'the command after it',
      { state: { ...state, afterProblem: 'exit status 3' } },
      'the command after the backup failed: exit status 3',
    ],
    [
      'a test',
      { state: { ...state, tested: 'T', testProblem: 'damaged' } },
      'the last test of a backup failed (T): damaged',
    ],
  ])('names %s', (_, changes, words) => {
    expect(backupProblem({ ...fine, ...changes }, nowMs)).toBe(words);
  });
});

describe('the schedule of backups', () => {
  let clock: FakeClock;
  let log: ReturnType<typeof recordingLog>;
  let ran: string[];
  let fails: boolean;
  let found: BackupsFound;
  const settings: BackupSection = {
    at: '03:10',
    folder: '',
    keepDaily: 7,
    keepWeekly: 4,
    keepMonthly: 12,
    after: '',
    testDays: 30,
  };

  beforeEach(() => {
    clock = new FakeClock({ nowMs: at('2026-12-01T12:00:00Z') });
    log = recordingLog();
    ran = [];
    fails = false;
    found = { backups: [], state };
  });

  /** Runs it for so long. What a command would do is done to `found`. */
  async function run(forMs: number, changes: Partial<BackupSection> = {}): Promise<BackupReport | undefined> {
    const end = new AbortController();
    const schedule = createBackupSchedule({
      settings: testLive({ ...settings, ...changes }),
      house: testLive({ name: '', timeZone: 'UTC' }),
      look: async () => Promise.resolve(found),
      clock,
      log,
      progress: recordingProgress(),
      maxIdleMs: 60_000,
      runCommand: async (words) => {
        const now = new Date(clock.nowMs()).toISOString();
        ran.push(`${now.slice(0, 16)} ${words.join(' ')}`);
        found = fails
          ? { ...found, state: { ...found.state, tried: now, problem: 'no room' } }
          : words[0] === 'backup'
            ? { backups: [backupAt(now), ...found.backups], state: { ...found.state, tried: now, problem: null } }
            : { ...found, state: { ...found.state, tested: now, testProblem: null } };
        return Promise.resolve({ exitCode: fails ? 1 : 0, lastLine: fails ? 'no room' : '' });
      },
    });
    const running = schedule.run(end.signal).catch(() => undefined);
    await clock.advance(forMs);
    end.abort();
    await running;
    return schedule.report();
  }

  it('makes the first one soon after the start, then one each night, and tests the newest each month', async () => {
    const report = await run(2 * DAY_MS);
    expect(ran).toEqual([
      '2026-12-01T12:02 backup',
      '2026-12-01T13:02 restore --test',
      '2026-12-02T03:10 backup',
      '2026-12-03T03:10 backup',
    ]);
    expect(report).toEqual({ newestMs: at('2026-12-03T03:10:00Z'), bytes: 4 });
  });

  it('makes up for a night in which the server did not run', async () => {
    found = { backups: [backupAt('2026-11-29T03:10:00Z')], state: { ...state, tested: '2026-11-29T04:00:00Z' } };
    await run(HOUR_MS);
    expect(ran).toEqual(['2026-12-01T12:02 backup']);
  });

  it('makes none where it is told never, and says nothing of it', async () => {
    expect(await run(DAY_MS, { at: 'never' })).toEqual({ newestMs: null, bytes: null });
    expect(ran).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  it('tries again an hour after a failure, and says what failed until it works', async () => {
    fails = true;
    const report = await run(2 * HOUR_MS + 300_000);
    expect(ran).toHaveLength(3);
    expect(report?.problem).toMatch(/^the last backup failed \(2026-12-01T14:.*\): no room$/);
    fails = false;
    expect((await run(HOUR_MS))?.problem).toBeUndefined();
  });

  it('does not take a backup from the future for one of tonight: the clock was wrong then', async () => {
    found = { backups: [backupAt('2031-01-01T00:00:00Z')], state };
    await run(HOUR_MS);
    expect(ran[0]).toBe('2026-12-01T12:02 backup');
  });
});

function backupAt(made: string): BackupsFound['backups'][number] {
  return { madeMs: Date.parse(made), manifest: { bytes: 4 } as Manifest };
}
