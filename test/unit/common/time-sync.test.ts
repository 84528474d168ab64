import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TimeSync } from '../../../src/common/time-sync.ts';
import { createTimeSyncProbe } from '../../../src/common/time-sync.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'techtemp-time-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const SYSTEMD = 'run/systemd/system/';
const TIMESYNCD = 'run/systemd/timesync/';
const FLAG = 'run/systemd/timesync/synchronized';
/** Fields of chrony 4.3: reference, name, stratum, time, offsets ..., leap status. */
const CHRONY = 'A29FC801,162.159.200.1,4,1795231592.1,-0.0001,0.0001,0.0003,-12.3,0.002,0.03,0.01,0.001,64.5,';

interface Machine {
  readonly files: readonly string[];
  readonly programs?: Readonly<Record<string, string>>;
}

async function ask({ files, programs = {} }: Machine): Promise<{ answer: TimeSync; asked: readonly string[] }> {
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
    run: (program) => {
      asked.push(program);
      return Promise.resolve(programs[program]);
    },
  });
  return { answer: await probe(), asked };
}

test('timesyncd answers through its files alone: synchronised since boot, or not yet', async () => {
  expect(await ask({ files: [SYSTEMD, TIMESYNCD] })).toEqual({ answer: 'unsynced', asked: [] });
  expect(await ask({ files: [FLAG] })).toEqual({ answer: 'synced', asked: [] });
});

test.each([
  ['yes\n', 'synced'],
  ['no\n', 'unsynced'],
] as const)('with another time service timedatectl decides: %j', async (answer, sync) => {
  expect(await ask({ files: [SYSTEMD], programs: { timedatectl: answer } })).toEqual({
    answer: sync,
    asked: ['timedatectl'],
  });
});

test.each([
  ['Normal', 'synced'],
  ['Insert second', 'synced'],
  ['Not synchronised', 'unsynced'],
] as const)('where D-Bus refuses us chrony decides: %s', async (leap, sync) => {
  const { answer } = await ask({ files: [SYSTEMD], programs: { chronyc: `${CHRONY}${leap}\n` } });
  expect(answer).toBe(sync);
});

test('under systemd, silence does not make a clock true', async () => {
  expect(await ask({ files: [SYSTEMD] })).toEqual({ answer: 'unsynced', asked: ['timedatectl', 'chronyc'] });
});

test('without systemd there is nobody to ask', async () => {
  expect(await ask({ files: [] })).toEqual({ answer: 'unknown', asked: [] });
});
