import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMachine } from '../../../src/doctor/machine.ts';
import { createSystemClock } from '../../../src/platform/clock.ts';
import { runBackup } from '../../../src/server/commands/backup.ts';
import { runCheck } from '../../../src/server/commands/check.ts';
import { recordedIo } from '../../support/command-io.ts';
import { freePort } from '../../support/ports.ts';
import { itemsMessage, readingsOf, ServerStore } from '../../support/server-store.ts';

let bench: ServerStore;
let madeMs = 0;
beforeEach(async () => {
  bench = new ServerStore();
  madeMs = Date.now() - 600_000;
  await bench.commit([itemsMessage(readingsOf('k3v9x2', [1, 2, 3], Date.now() - 300_000))]);
});
afterEach(async () => bench.dispose());

/** What the examination of backups says. */
async function found(flags: Readonly<Record<string, string>> = {}, laterMs = 0): Promise<readonly string[]> {
  const recorded = recordedIo({ clock: { ...createSystemClock(), nowMs: () => Date.now() + laterMs } });
  const all = {
    ...bench.options.flags,
    'mqtt.broker_port': String(await freePort()),
    'http.port': String(await freePort()),
    ...flags,
  };
  await runCheck({ ...bench.options, flags: all, json: true }, recorded.io, {
    ...createMachine(process.env),
    root: bench.folder,
  });
  const { findings } = JSON.parse(recorded.stdout()) as {
    readonly findings: readonly { readonly id: string; readonly examination: string; readonly found: string }[];
  };
  return findings.filter(({ examination }) => examination === 'backup').map(({ id, found: said }) => `${id}: ${said}`);
}

/** Each is a minute later than the one before: a backup has the second in its name. */
async function backup(flags: Readonly<Record<string, string>> = {}): Promise<number> {
  const nowMs = (madeMs += 60_000);
  const { io } = recordedIo({ clock: { ...createSystemClock(), nowMs: () => nowMs } });
  return await runBackup({ ...bench.options, flags: { ...bench.options.flags, ...flags }, newFolder: false }, io);
}

describe('techtemp-server check: the backups', () => {
  it('says that the first one is still to come, and that there is one', async () => {
    expect(await found()).toEqual([expect.stringContaining('backup.none: ')]);
    expect(await backup()).toBe(0);
    expect(await found()).toEqual([expect.stringMatching(/backup.ok: .* \(1 in .*backups\); it holds 3 readings$/)]);
  });

  it('warns where none is ever made, or the newest is old', async () => {
    expect(await found({ 'backup.at': 'never' })).toEqual([expect.stringContaining('backup.never: ')]);
    await backup();
    expect(await found({}, 5 * 86_400_000)).toEqual(['backup.problem: the newest backup is 5 days old']);
  });

  it('warns of what failed, and of files that are no whole backups', async () => {
    expect(await backup({ 'backup.after': 'exit 4' })).toBe(1);
    expect(await found()).toEqual(['backup.problem: the command after the backup failed: exit status 4']);
    const folder = join(bench.folder, 'backups');
    expect(await backup()).toBe(0);
    const [manifest = ''] = readdirSync(folder).filter((name) => name.endsWith('.json'));
    rmSync(join(folder, manifest));
    const [unusable] = await found();
    expect(unusable).toContain('backup.unusable: 1 file(s) in ');
    expect(unusable).toContain('its manifest is missing');
  });
});
