import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokerExamination } from '../../src/device/doctor/examinations/broker.ts';
import { stateFolderExamination } from '../../src/device/doctor/examinations/journal.ts';
import { createOpenLink } from '../../src/device/mqtt/client.ts';
import { createMachine } from '../../src/doctor/machine.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { runCheck } from '../../src/server/commands/check.ts';
import { recordedIo } from '../support/command-io.ts';
import { mqttSection } from '../support/device-sections.ts';
import { becomeOrdinaryUser } from '../support/ordinary-user.ts';
import { ServerStore } from '../support/server-store.ts';

const neverAborted = new AbortController().signal;

describe('a doctor whose user may not do everything', () => {
  let folder = '';
  let bench: ServerStore;

  const serverFindings = async (): Promise<readonly string[]> => {
    const recorded = recordedIo();
    const machine = { ...createMachine({}), root: folder };
    await runCheck({ ...bench.options, json: true }, recorded.io, machine);
    return (JSON.parse(recorded.stdout()) as { findings: { id: string }[] }).findings.map(({ id }) => id);
  };

  beforeAll(async () => {
    // Once as the user who runs the tests: now everything is loaded, wherever the project is.
    bench = new ServerStore();
    expect(await serverFindings()).not.toContain('state.not-writable');
    await bench.dispose();
    becomeOrdinaryUser();
    folder = mkdtempSync(join(tmpdir(), 'techtemp-ordinary-'));
    bench = new ServerStore();
  });
  afterAll(async () => {
    await bench.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  it('names a journal folder in which it may not write', async () => {
    const locked = join(folder, 'locked');
    mkdirSync(locked, { mode: 0o500 });
    const found = async (isPrivate: boolean): Promise<string | undefined> => {
      const examination = { folder: locked, minFreeBytes: 0, configFile: 'device.conf', isPrivate };
      return (await stateFolderExamination(examination).run(neverAborted))[0]?.id;
    };
    expect(await found(false)).toBe('state.not-writable');
    expect(await found(true)).toBe('state.not-allowed');
  });

  it('names a folder of the database in which it may not write', async () => {
    chmodSync(bench.folder, 0o500);
    expect(await serverFindings()).toContain('state.not-writable');
    chmodSync(bench.folder, 0o700);
  });

  it('does not guess where the password is for root only', async () => {
    const root = mkdtempSync(join(folder, 'root-'));
    mkdirSync(join(root, 'etc/credstore'), { recursive: true });
    chmodSync(join(root, 'etc/credstore'), 0);
    const clock = createSystemClock();
    const findings = await brokerExamination({
      mqtt: mqttSection(1883, { username: 'aht20-0a1b2c' }),
      deviceUid: 'aht20-0a1b2c',
      homeId: 'home-001',
      configFile: '/etc/techtemp/device.conf',
      env: {},
      openLink: createOpenLink({ clock }),
      clock,
      ownJournal: () => Promise.resolve(undefined),
      rememberedServers: () => Promise.resolve([]),
      root,
    }).run(neverAborted);
    chmodSync(join(root, 'etc/credstore'), 0o700);
    expect(findings.map(({ id }) => id)).toEqual(['connection.password-private']);
  });
});
