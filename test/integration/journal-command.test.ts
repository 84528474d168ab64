import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeItem } from '../../src/contract/reading.ts';
import type { CommandIo, ExitCode } from '../../src/device/commands/command-io.ts';
import type { ConfigOptions } from '../../src/device/commands/config.ts';
import {
  type JournalExportOptions,
  type JournalListOptions,
  type JournalShowOptions,
  runJournalExport,
  runJournalList,
  runJournalShow,
} from '../../src/device/commands/journal.ts';
import type { JournalSet } from '../../src/device/journal/journal.ts';
import { openJournalSet } from '../../src/device/journal/journal-set.ts';
import { recordedIo } from '../support/command-io.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { BOOT_A, journalSection, pendingReading, testReading } from '../support/journal-rig.ts';
import { testLive } from '../support/recording.ts';

let folder: string;
let open: JournalSet[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-journal-command-'));
});
afterEach(async () => {
  for (const set of open.splice(0)) await set.close();
  rmSync(folder, { recursive: true, force: true });
});

async function openSet(deviceUid = 'aht20-0a1b2c'): Promise<JournalSet> {
  const set = await openJournalSet({
    settings: testLive(journalSection({ maxReadings: 1_000 })),
    device: testLive({ deviceUid }),
    defaultPath: join(folder, 'journal'),
    clock: new FakeClock({ bootId: BOOT_A }),
    onEvent: () => undefined,
  });
  open.push(set);
  return set;
}

async function close(set: JournalSet): Promise<void> {
  open = open.filter((other) => other !== set);
  await set.close();
}

/** 30 readings, of which the first ten are released, a gap record, and one reading without its time. */
async function fill(set: JournalSet): Promise<string> {
  for (let index = 0; index < 30; index += 1) await set.append(testReading(index));
  const [journal] = set.journals();
  journal?.release([[1, 10]]);
  const gap = { ofEpoch: 'old', from: 3, to: 9, count: 4, reason: 'thinned' } as const;
  await journal?.appendGap(gap, Date.UTC(2026, 0, 1));
  await set.append(pendingReading(31));
  return set.activeEpoch();
}

interface Said {
  readonly code: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

async function run<O extends ConfigOptions>(
  command: (options: O, io: CommandIo) => Promise<ExitCode>,
  options: Omit<O, keyof ConfigOptions>,
): Promise<Said> {
  const { io, stdout, stderr } = recordedIo({ env: { STATE_DIRECTORY: folder } });
  const code = await command({ configPath: join(folder, 'device.conf'), flags: {}, ...options } as O, io);
  return { code, stdout: stdout(), stderr: stderr() };
}
const list = (json = false): Promise<Said> => run<JournalListOptions>(runJournalList, { json });
const show = (last: number): Promise<Said> => run<JournalShowOptions>(runJournalShow, { last });
const exportAs = (format: 'csv' | 'jsonl', selection: 'all' | 'unreleased', output?: string): Promise<Said> =>
  run<JournalExportOptions>(runJournalExport, { format, selection, ...(output !== undefined && { output }) });

function snapshot(): string {
  return execFileSync(
    'sh',
    ['-c', `cd '${folder}' && find . -type f -exec sha256sum {} + && ls -lR --time-style=full-iso`],
    {
      encoding: 'utf8',
    },
  );
}

describe('techtemp-device journal', () => {
  it('says that there is none yet', async () => {
    expect(await list()).toMatchObject({ code: 0, stdout: `no journal under ${folder}/journal yet\n` });
    expect((await show(5)).stdout).toContain('no entry');
    expect((await exportAs('jsonl', 'all')).stdout).toBe('');
  });

  it('lists what lies in it beside a running agent, and whether one runs', async () => {
    const set = await openSet();
    const epoch = await fill(set);
    const running = await list();
    expect(running.code).toBe(0);
    expect(running.stdout).toContain('(an agent is writing to it)');
    await close(set);

    const { stdout } = await list();
    const [place, heading, row, total] = stdout.split('\n');
    expect(place).toBe(`${folder}/journal (no agent is writing to it)`);
    expect(heading).toMatch(/^device +epoch +numbers +unreleased +no time yet +gap records +on disk$/);
    expect(row).toMatch(new RegExp(`^aht20-0a1b2c +${epoch} +up to 32 +22 +1 +1 +\\d+ KB$`));
    expect(total).toMatch(/^22 unreleased, \d+ KB on disk$/);
  });

  it('lists several devices and epochs, and says it in JSON too', async () => {
    const first = await openSet();
    await fill(first);
    await close(first);
    const second = await openSet('aht20-ffffff');
    await second.append(testReading(1));
    await close(second);
    const report = JSON.parse((await list(true)).stdout) as {
      in_use: boolean;
      journals: { deviceUid: string; unreleased: number }[];
    };
    expect(report.in_use).toBe(false);
    expect(report.journals.map(({ deviceUid, unreleased }) => [deviceUid, unreleased])).toEqual([
      ['aht20-0a1b2c', 22],
      ['aht20-ffffff', 1],
    ]);
  });

  it('shows the newest entries, gap records and waiting times among them', async () => {
    const set = await openSet();
    await fill(set);
    const { stdout } = await show(3);
    const [heading, ...rows] = stdout.trimEnd().split('\n');
    expect(heading).toMatch(/^time \(UTC\) +device +epoch +number +what +delivery$/);
    expect(rows).toHaveLength(3);
    expect(rows[0]).toMatch(/ 30 +-?\d+\.\d\d °C, \d+\.\d\d %RH +waits$/);
    expect(rows[1]).toMatch(/ 31 +gap: of old, numbers 3 to 9 are gone, 4 of them \(thinned\) +waits$/);
    expect(rows[2]).toMatch(/ 32 +.* time not final yet +waits$/);
  });

  it('exports every entry as JSON Lines that a server can read again', async () => {
    const set = await openSet();
    const epoch = await fill(set);
    await close(set);
    const all = (await exportAs('jsonl', 'all')).stdout.trimEnd().split('\n');
    expect(all).toHaveLength(32);
    const objects = all.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(objects.map((object) => decodeItem(object))[4]).toMatchObject({ epoch, seq: 5, temperatureCelsius: -49.96 });
    expect(objects[4]).toMatchObject({ device_uid: 'aht20-0a1b2c', released: true });
    expect(objects[30]).toMatchObject({ gap: { epoch: 'old', from: 3, to: 9 }, released: false });
    expect(objects[31]).toMatchObject({ clock: 'pending' });
    expect((await exportAs('jsonl', 'unreleased')).stdout.trimEnd().split('\n')).toHaveLength(22);
  });

  it('exports CSV into a file', async () => {
    const set = await openSet();
    const epoch = await fill(set);
    const file = join(folder, 'export.csv');
    const { code, stdout, stderr } = await exportAs('csv', 'all', file);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: `32 entries written to ${file}\n` });
    const [heading = '', ...rows] = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(heading.split(',')).toContain('temperature_c');
    expect(rows).toHaveLength(32);
    expect(new Set([heading, ...rows].map((row) => row.split(',').length)).size).toBe(1);
    expect(rows[10]).toBe(
      `aht20-0a1b2c,${epoch},11,reading,2026-01-01T00:00:10.000Z,1767225610000,synced,-49.90,0.00,,false,,,,,`,
    );
  });

  it('says why a file cannot be written', async () => {
    const { code, stderr } = await exportAs('csv', 'all', join(folder, 'absent', 'export.csv'));
    expect(code).toBe(1);
    expect(stderr).toContain('absent');
  });

  it('changes nothing', async () => {
    const set = await openSet();
    await fill(set);
    await close(set);
    const before = snapshot();
    await list();
    await show(10);
    await exportAs('csv', 'all');
    expect(snapshot()).toBe(before);
  });

  it('tells of damage, and still shows what is whole', async () => {
    const set = await openSet();
    await fill(set);
    await close(set);
    const device = join(folder, 'journal', 'aht20-0a1b2c');
    const epochFolder = join(device, readdirSync(device)[0] ?? '');
    const segment = readdirSync(epochFolder).find((name) => name !== 'released') ?? '';
    const bytes = readFileSync(join(epochFolder, segment));
    // The 20th record: 4 KiB header, 64 bytes each.
    bytes.fill(0xa5, 4096 + 19 * 64, 4096 + 20 * 64);
    writeFileSync(join(epochFolder, segment), bytes);
    expect((await list()).stdout).toContain('number 20 is gone (damaged); the agent will report it');
    expect((await exportAs('jsonl', 'all')).stdout.trimEnd().split('\n')).toHaveLength(31);
  });

  it('explains a config that it cannot use', async () => {
    writeFileSync(join(folder, 'device.conf'), '[journal]\nmax_readings = many\n');
    const { code, stderr } = await list();
    expect(code).toBe(78);
    expect(stderr).toContain('max_readings');
    expect(existsSync(join(folder, 'journal'))).toBe(false);
  });
});
