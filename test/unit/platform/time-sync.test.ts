import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTimeSyncProbe, type TimeSync } from '../../../src/platform/time-sync.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'techtemp-time-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const SYSTEMD = 'run/systemd/system/';
const TIMESYNCD = 'run/systemd/timesync/';
const FLAG = 'run/systemd/timesync/synchronized';
const NOW_MS = Date.now();
/** A machine that has been up for a day. */
const clock = { nowMs: () => NOW_MS, monotonicMs: () => 80_000_000, suspendedMs: () => 6_400_000 };
/** Fields of chrony 4.3: reference, name, stratum, time, offsets ..., leap status. */
const chrony = (atMs: number, offset = '-0.0001'): string =>
  `A29FC801,162.159.200.1,4,${atMs / 1000},${offset},0.0001,0.0003,-12.3,0.002,0.03,0.01,0.001,64.5,`;
const CHRONY = chrony(NOW_MS - 60_000);
/** `ntpq -c rv` of NTPsec 1.2 and ntpd 4.2.8. */
const ntpd = (word: string, stratum: number, atMs: number): string =>
  `associd=0 status=0615 leap_${word}, sync_ntp, 1 event, clock_sync,
version="ntpd ntpsec-1.2.2", leap=00, stratum=${stratum}, precision=-24,
refid=162.159.200.1, reftime=${Math.round(atMs / 1000 + 2_208_988_800).toString(16)}.12345678 2026-11-30T10:00:00.071,
peer=12345, tc=6, mintc=3, offset=-0.123456, frequency=-12.345
`;

interface Machine {
  readonly files: readonly string[];
  readonly programs?: Readonly<Record<string, string>>;
}

async function ask(
  { files, programs = {} }: Machine,
  sinceMs?: number,
): Promise<{ answer: TimeSync; asked: readonly string[] }> {
  for (const file of files) {
    if (file.endsWith('/')) mkdirSync(join(root, file), { recursive: true });
    else {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), '');
    }
  }
  const asked: string[] = [];
  const probe = createTimeSyncProbe({
    root,
    clock,
    run: (program) => {
      asked.push(program);
      return Promise.resolve(programs[program]);
    },
  });
  return { answer: await probe(sinceMs), asked };
}

test('timesyncd answers through its files alone: synchronised since boot, or not yet', async () => {
  expect(await ask({ files: [SYSTEMD, TIMESYNCD] })).toEqual({ answer: 'unsynced', asked: [] });
  expect(await ask({ files: [FLAG] })).toEqual({ answer: 'synced', asked: [] });
});

test('with another time service a yes of the kernel is enough, and a no is not: openntpd does not always tell it', async () => {
  const yes = await ask({ files: [SYSTEMD], programs: { timedatectl: 'yes\n' } });
  expect(yes).toEqual({ answer: 'synced', asked: ['timedatectl'] });
  const no = await ask({ files: [SYSTEMD], programs: { timedatectl: 'no\n' } });
  expect(no).toEqual({ answer: 'unsynced', asked: ['timedatectl', 'chronyc', 'ntpq', 'ntpctl'] });
});

// D8
test.each([
  ['NTPsec', { ntpq: ntpd('none', 2, NOW_MS - 60_000) }, 'synced'],
  ['NTPsec before its first answer', { ntpq: ntpd('alarm', 16, 0) }, 'unsynced'],
  ['ntpd of a leap second', { ntpq: ntpd('add_sec', 3, NOW_MS) }, 'synced'],
  ['openntpd', { timedatectl: 'no\n', ntpctl: '4/4 peers valid, clock synced, stratum 3\n' }, 'synced'],
  ['openntpd before it is done', { ntpctl: '1/4 peers valid, clock unsynced\n' }, 'unsynced'],
  ['chrony that has not corrected the clock yet', { chronyc: `${chrony(NOW_MS, '3600.5')}Normal\n` }, 'unsynced'],
  ['words that are no answer', { ntpq: 'ntpq: read: Connection refused\n', ntpctl: 'usage: ...' }, 'no-answer'],
] as const)('asks the time service itself: %s', async (_name, programs, sync) => {
  expect((await ask({ files: [SYSTEMD], programs })).answer).toBe(sync);
});

// A10
test('after a step only a synchronisation that is newer counts', async () => {
  const sinceMs = NOW_MS - 30_000;
  const asked = async (programs: Readonly<Record<string, string>>): Promise<TimeSync> =>
    (await ask({ files: [SYSTEMD], programs }, sinceMs)).answer;
  expect(await asked({ chronyc: `${chrony(NOW_MS - 60_000)}Normal\n`, timedatectl: 'yes\n' })).toBe('unsynced');
  expect(await asked({ chronyc: `${chrony(NOW_MS - 10_000)}Normal\n` })).toBe('synced');
  expect(await asked({ ntpq: ntpd('none', 2, NOW_MS - 60_000), timedatectl: 'yes\n' })).toBe('unsynced');
  expect(await asked({ ntpq: ntpd('none', 2, NOW_MS - 10_000) })).toBe('synced');
  // openntpd does not say since when; the kernel's flag is cleared by a step.
  const openntpd = '4/4 peers valid, clock synced, stratum 3\n';
  expect(await asked({ ntpctl: openntpd, timedatectl: 'no\n' })).toBe('unsynced');
  expect(await asked({ ntpctl: openntpd, timedatectl: 'yes\n' })).toBe('synced');
  expect(await asked({ timedatectl: 'yes\n' })).toBe('synced');
  const flagged = async (atMs: number, since?: number): Promise<TimeSync> => {
    await ask({ files: [SYSTEMD, FLAG] });
    utimesSync(join(root, FLAG), atMs / 1000, atMs / 1000);
    return await createTimeSyncProbe({ root, run: () => Promise.resolve(undefined), clock })(since);
  };
  expect(await flagged(NOW_MS - 60_000)).toBe('synced');
  expect(await flagged(NOW_MS - 60_000, sinceMs)).toBe('unsynced');
  expect(await flagged(NOW_MS - 5_000, sinceMs)).toBe('synced');
  // Synchronised in the future: the clock was set back since.
  expect(await flagged(NOW_MS + 3_600_000)).toBe('unsynced');
  // Synchronised before the machine was started: the clock was set forward since.
  expect(await flagged(NOW_MS - 86_000_000)).toBe('synced');
  expect(await flagged(NOW_MS - 90_000_000)).toBe('unsynced');
});

test.each([
  ['Normal', 'synced'],
  ['Insert second', 'synced'],
  ['Not synchronised', 'unsynced'],
] as const)('where D-Bus refuses us chrony decides: %s', async (leap, sync) => {
  const { answer } = await ask({ files: [SYSTEMD], programs: { chronyc: `${CHRONY}${leap}\n` } });
  expect(answer).toBe(sync);
});

test('under systemd, silence does not make a clock true, and is not taken for a no', async () => {
  expect(await ask({ files: [SYSTEMD] })).toEqual({
    answer: 'no-answer',
    asked: ['timedatectl', 'chronyc', 'ntpq', 'ntpctl'],
  });
});

test('without systemd there is nobody to ask', async () => {
  expect(await ask({ files: [] })).toEqual({ answer: 'unknown', asked: [] });
});
