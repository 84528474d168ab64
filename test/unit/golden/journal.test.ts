import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectEntries } from '../../../src/device/journal/inspect.ts';
import type { JournalEntry, NewReading } from '../../../src/device/journal/journal.ts';
import { createNodeJournalFs } from '../../../src/device/journal/journal-fs.ts';
import { runCommandLine } from '../../support/command-lines.ts';
import { createStateFs } from '../../support/crash-fs.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { expectGolden, expectGoldenJson, GOLDEN_DIRECTORY, isGoldenUpdate, writeGolden } from '../../support/golden.ts';
import {
  BOOT_A,
  BOOT_B,
  JOURNAL_PATH,
  openTestSet,
  pendingReading,
  readSet,
  testReading,
} from '../../support/journal-rig.ts';

/** A state directory as this version leaves it. Every later version must read it. */
const KEPT = join(GOLDEN_DIRECTORY, 'journal');
const REGISTER = '/state/journal-epochs.json';
const START_MS = Date.UTC(2026, 0, 1);
const SEGMENT = { maxReadings: 128 };

/** Two boots, two devices, every kind of record. Clock and names are given, so the bytes are the same each time. */
async function writeJournals(): Promise<ReadonlyMap<string, Buffer>> {
  const fs = await createStateFs();
  const names = ['epoch1', 'epoch2', 'epoch3', 'epoch4'];
  const options = { registerPath: REGISTER, createEpochName: () => names.shift() ?? 'epoch9', section: SEGMENT };
  const frame = Uint8Array.from([0x1c, 0x80, 0x12, 0x35, 0x9a, 0xbc, 0x5e]);

  // The first boot: an ordinary day, and more readings than may be kept.
  const first = await openTestSet(fs, { ...options, clock: new FakeClock({ bootId: BOOT_A, nowMs: START_MS }) });
  const readings: readonly Partial<NewReading>[] = [
    {},
    { frame },
    { trigger: 'command' },
    { stamp: { state: 'unsynced', tsMs: START_MS + 138_000 } },
    { isTimeRough: true },
    { isTimeRough: true, trigger: 'command', frame },
  ];
  for (let index = 1; index <= 134; index += 1) await first.set.append(testReading(index));
  for (const [index, changes] of readings.entries()) await first.set.append(testReading(135 + index, changes));
  for (const journal of first.set.journals())
    journal.release([
      [1, 3],
      [5, 5],
      [100, 110],
    ]);
  await first.set.close();

  // After a power cut, without the right time; then the time comes.
  const second = await openTestSet(fs, {
    ...options,
    clock: new FakeClock({ bootId: BOOT_B, nowMs: START_MS + 86_400_000 }),
  });
  for (let index = 1; index <= 4; index += 1) await second.set.append(pendingReading(index, { bootId: BOOT_B }));
  await second.set.settle({ bootId: BOOT_B, wallMinusMonotonicMs: START_MS + 200_000_000, state: 'synced' });
  const [journal] = second.set.journals();
  await journal?.appendGap({ ofEpoch: 'b7c1d0ff', from: 77, reason: 'damaged' }, START_MS + 200_100_000);
  await journal?.appendGap(
    { ofEpoch: 'a1', from: 5, to: 9, count: 4, reason: 'lost-in-memory', fromTsMs: START_MS, toTsMs: START_MS + 4_000 },
    START_MS + 200_100_001,
  );
  // The device gets another name: another journal. Its last readings still wait for their time.
  second.device.set({ deviceUid: 'window-north' });
  for (let index = 10; index <= 12; index += 1) await second.set.append(testReading(index, { bootId: BOOT_B }));
  for (let index = 13; index <= 14; index += 1) {
    await second.set.append(pendingReading(index, { bootId: '33333333-3333-4333-8333-333333333333' }));
  }
  await second.set.close();
  return new Map(fs.files().map((path) => [relative('/state', path), fs.content(path)]));
}

let written: ReadonlyMap<string, Buffer>;
let folder = '';
beforeAll(async () => {
  written = await writeJournals();
  if (isGoldenUpdate) {
    rmSync(KEPT, { recursive: true, force: true });
    for (const [path, content] of written) writeGolden(join(KEPT, path), content);
  }
  // Read from real files, and from a copy: opening a journal writes.
  folder = mkdtempSync(join(tmpdir(), 'techtemp-golden-'));
  cpSync(KEPT, join(folder, 'state'), { recursive: true });
  const register = join(folder, 'state', 'journal-epochs.json');
  writeFileSync(register, readFileSync(register, 'utf8').replaceAll(JOURNAL_PATH, join(folder, 'state', 'journal')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the journal on disk', () => {
  it('is written byte for byte as it was', () => {
    const kept = readdirSync(KEPT, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(KEPT, join(entry.parentPath, entry.name)));
    expect(kept.sort()).toEqual([...written.keys()].sort());
    for (const [path, content] of written) {
      expect([path, differing(content, readFileSync(join(KEPT, path)))]).toEqual([path, []]);
    }
    expectGoldenJson(
      'journal-written.json',
      [...written].map(([path, { length }]) => `${path}: ${length} bytes`).sort(),
    );
  });

  it('is read back to exactly the entries that lie in it', async () => {
    const all: string[] = [];
    for await (const { deviceUid, epoch, entry, released } of inspectEntries(
      join(folder, 'state', 'journal'),
      createNodeJournalFs(),
    )) {
      all.push(`${deviceUid} ${epoch}${released ? ' released' : ''} ${shown(entry)}`);
    }
    const copy = join(folder, 'opened');
    cpSync(join(folder, 'state'), copy, { recursive: true });
    const register = join(copy, 'journal-epochs.json');
    writeFileSync(register, readFileSync(register, 'utf8').replaceAll(join(folder, 'state'), copy));
    const { set, events } = await openTestSet(createNodeJournalFs(), {
      section: { ...SEGMENT, path: join(copy, 'journal') },
      registerPath: register,
      clock: new FakeClock({ bootId: BOOT_B, nowMs: START_MS + 300_000_000 }),
      createEpochName: () => 'newepoch',
    });
    const delivered = (await readSet(set)).map(({ epoch, entry }) => `${epoch} ${shown(entry)}`);
    const stats = set.stats();
    const pending = set.pendingBootIds();
    await set.close();
    expect(events).toEqual([]);
    expectGoldenJson('journal-read.json', { stats, pending, delivered, all });
  });

  it('is shown and exported as it was', async () => {
    const config = join(folder, 'device.conf');
    writeFileSync(config, '[device]\ndevice_uid = aht20-0a1b2c\n');
    mkdirSync(join(folder, 'none'), { recursive: true });
    const run = async (...arguments_: readonly string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await runCommandLine(
        'techtemp-device',
        ['journal', ...arguments_, '--config', config],
        { STATE_DIRECTORY: join(folder, 'state') },
      );
      expect([exitCode, stderr]).toEqual([0, '']);
      return stdout.replaceAll(folder, '/folder');
    };
    expectGolden('journal-export.csv', await run('export'));
    expectGolden('journal-export.jsonl', await run('export', '--format', 'jsonl', '--unreleased'));
    expectGolden('journal-list.json', await run('list', '--json'));
  });
});

/** An entry on one line. */
function shown(entry: JournalEntry): string {
  const bytes =
    entry.kind === 'reading' && entry.frame !== undefined ? { frame: Buffer.from(entry.frame).toString('hex') } : {};
  return JSON.stringify({ ...entry, ...bytes });
}

/** Where the first bytes differ, for people: offset, then what is there and what was there. */
function differing(now: Buffer, before: Buffer): readonly string[] {
  if (now.length !== before.length) return [`${now.length} bytes, there were ${before.length}`];
  const first = now.findIndex((byte, index) => byte !== before[index]);
  if (first < 0) return [];
  const hex = (content: Buffer): string => content.subarray(first, first + 16).toString('hex');
  return [`at ${first}: ${hex(now)}, was ${hex(before)}`];
}
