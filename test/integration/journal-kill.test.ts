import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lockDirectory } from '../../src/device/journal/directory-lock.ts';
import { inspectEntries, inspectJournals } from '../../src/device/journal/inspect.ts';
import type { JournalEntry } from '../../src/device/journal/journal.ts';
import { createNodeJournalFs } from '../../src/device/journal/journal-fs.ts';
import { bundleForChild } from '../support/bundle.ts';
import { indexOf, openTestSet, seededRandom, testReading } from '../support/journal-rig.ts';
import { until } from '../support/until.ts';

const SEED = 20_260_103;
const KILLS = 20;
/** Fewer appends than this happen between two kills on average. */
const MEAN_APPENDS = 120;

const folder = mkdtempSync(join(tmpdir(), 'techtemp-journal-kill-'));
let appender = '';

beforeAll(async () => {
  appender = await bundleForChild(fileURLToPath(new URL('../support/children/journal-appender.ts', import.meta.url)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Acknowledged {
  /** By reading: the number that it was given. */
  readonly numbers: Map<number, string>;
  /** By epoch: everything up to this number was released. */
  readonly releasedTo: Map<string, number>;
}

/** Lets the child append, kills it after so many appends and a moment more, and takes down what it said. */
async function appendUntilKilled(
  path: string,
  acknowledged: Acknowledged,
  options: { maxReadings: number; lag: number; appends: number; moreMs: number },
): Promise<void> {
  const first = Math.max(0, ...acknowledged.numbers.keys()) + 100_000;
  const { maxReadings, lag, appends, moreMs } = options;
  const args = [appender, path, String(first), String(maxReadings), String(lag)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [word = '', seq = '', index = ''] = line.split(' ');
    if (word === 'open') continue;
    if (word === 'error') throw new Error(line);
    if (word === 'released') {
      acknowledged.releasedTo.set(seq, Number(index));
      continue;
    }
    acknowledged.numbers.set(Number(index), `${word}/${seq}`);
    said += 1;
    if (said === appends) {
      if (moreMs > 0) await sleep(moreMs);
      child.kill('SIGKILL');
    }
  }
}

async function entriesUnder(path: string): Promise<{ epoch: string; entry: JournalEntry; released: boolean }[]> {
  const entries = [];
  for await (const entry of inspectEntries(path, createNodeJournalFs())) entries.push(entry);
  return entries;
}

describe('kill -9 of an agent that appends', { timeout: 600_000 }, () => {
  it.each([
    { name: 'nothing is released', maxReadings: 8_000, lag: 0 },
    { name: 'readings are released as they go', maxReadings: 400, lag: 40 },
    { name: 'the journal is full', maxReadings: 400, lag: 0 },
  ])(`loses no reading that was acknowledged and gives no number twice: $name`, async ({ name, maxReadings, lag }) => {
    const path = join(folder, name.replaceAll(' ', '-'));
    const random = seededRandom(SEED);
    const acknowledged: Acknowledged = { numbers: new Map(), releasedTo: new Map() };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const appends = 1 + Math.floor(random() * 2 * MEAN_APPENDS);
      await appendUntilKilled(path, acknowledged, { maxReadings, lag, appends, moreMs: Math.floor(random() * 4) });
    }
    const entries = await entriesUnder(path);
    const numbers = entries.map(({ epoch, entry }) => `${epoch}/${entry.seq}`);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(new Set(entries.map(({ epoch }) => epoch)).size).toBe(1);

    const gaps = entries.flatMap(({ entry }) => (entry.kind === 'gap' ? [entry.gap] : []));
    expect(gaps.filter(({ reason }) => reason === 'damaged')).toEqual([]);
    const byIndex = new Map(
      entries.flatMap(({ epoch, entry }) =>
        entry.kind === 'reading' ? [[indexOf(entry), `${epoch}/${entry.seq}`] as const] : [],
      ),
    );
    for (const [index, number] of acknowledged.numbers) {
      const [epoch = '', seq = '0'] = number.split('/');
      const there = byIndex.get(index);
      if (there !== undefined) expect(there).toBe(number);
      else if ((acknowledged.releasedTo.get(epoch) ?? 0) < Number(seq)) {
        const isTold = gaps.some(({ from, to = 0 }) => from <= Number(seq) && Number(seq) <= to);
        expect(isTold, `reading ${index}, number ${number}`).toBe(true);
      }
    }
    expect(acknowledged.numbers.size).toBeGreaterThan(KILLS * 10);
    if (maxReadings > acknowledged.numbers.size) expect(gaps).toEqual([]);
  });
});

describe('the lock of a journal', () => {
  it('keeps a second agent out, by whatever name it finds the directory', async () => {
    const path = join(folder, 'locked');
    const alias = join(folder, 'alias');
    const first = await openTestSet(createNodeJournalFs(), { section: { path }, lock: lockDirectory });
    symlinkSync(path, alias);
    for (const name of [path, alias]) {
      const second = openTestSet(createNodeJournalFs(), { section: { path: name }, lock: lockDirectory });
      await expect(second).rejects.toMatchObject({ code: 'JOURNAL_LOCKED' });
      await expect(second).rejects.toThrow(/stop that one/);
    }
    await first.set.close();
    const third = await openTestSet(createNodeJournalFs(), { section: { path }, lock: lockDirectory });
    await third.set.close();
  });

  it('does not outlive a killed agent, and lets others look in beside a running one', async () => {
    const path = join(folder, 'killed');
    const child = spawn(process.execPath, [appender, path, '1', '8000', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await until('the agent has appended a few', () => output.split('\n').length > 5);
    const locked = openTestSet(createNodeJournalFs(), { section: { path }, lock: lockDirectory });
    await expect(locked).rejects.toMatchObject({ code: 'JOURNAL_LOCKED' });
    const [report] = await inspectJournals(path, createNodeJournalFs());
    expect(report).toMatchObject({ deviceUid: 'aht20-0a1b2c', newerVersion: false, losses: [] });
    expect(report?.unreleased).toBeGreaterThan(1);
    child.kill('SIGKILL');
    await exited;
    const second = await openTestSet(createNodeJournalFs(), { section: { path }, lock: lockDirectory });
    await second.set.append(testReading(1));
    expect(second.events).toEqual([]);
    await second.set.close();
  });
});
