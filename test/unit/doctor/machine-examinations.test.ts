import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { I2cBus } from '../../../drivers/i2c/bus.ts';
import { i2cExamination } from '../../../src/device/doctor/examinations/i2c.ts';
import { stateFolderExamination } from '../../../src/device/doctor/examinations/journal.ts';
import {
  holdersOf,
  olderAgentExamination,
  olderUnit,
  powerExamination,
  synchronisationFinding,
} from '../../../src/device/doctor/examinations/system.ts';
import type { Examination } from '../../../src/doctor/doctor.ts';
import {
  clockExamination,
  type Evidence,
  nodeExamination,
  notifyPackageExamination,
  OLDEST_NODE,
} from '../../../src/doctor/examinations/runtime.ts';
import { type UnitProperties, unitExamination } from '../../../src/doctor/examinations/unit.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { createMachine, type Machine } from '../../../src/doctor/machine.ts';
import type { Clock } from '../../../src/platform/clock.ts';
import type { TimeSync } from '../../../src/platform/time-sync.ts';
import { sensorSection } from '../../support/device-sections.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { until } from '../../support/until.ts';

const neverAborted = new AbortController().signal;
let folder: string;
let children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-doctor-'));
});

afterEach(async () => {
  for (const child of children) {
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

async function findings(examination: Examination): Promise<readonly Finding[]> {
  return await examination.run(neverAborted);
}

async function ids(examination: Examination): Promise<readonly string[]> {
  return (await findings(examination)).map(({ id }) => id);
}

/** A program of that name, first on the search path, that prints a text. */
function machineWith(program: string, output: string, exitCode = 0): ReturnType<typeof createMachine> {
  writeFileSync(join(folder, 'output'), output);
  writeFileSync(join(folder, program), `#!/bin/sh\ncat '${join(folder, 'output')}'\nexit ${exitCode}\n`, {
    mode: 0o755,
  });
  return createMachine({ ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` });
}

/** As the agent's check plans it. */
function deviceUnit(machine: Machine, isSystemd: boolean, clock: Pick<Clock, 'monotonicMs'>): Examination {
  const unit = 'techtemp-device.service';
  const systemdRuns = (): Promise<boolean> => Promise.resolve(isSystemd);
  const impostor = (properties: UnitProperties) => olderUnit(unit, properties, machine.root);
  return unitExamination({ unit, machine, systemdRuns, clock, impostor });
}

describe('the Node.js examination', () => {
  it('knows the oldest version that package.json allows', () => {
    const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };
    expect(engines.node).toBe(`>=${OLDEST_NODE.replace(/\.0$/, '')}`);
  });

  it.each(['20.19.0', '20.20.2', '22.0.0', '24.1.0'])('accepts %s', async (nodeVersion) => {
    expect(await ids(nodeExamination({ nodeVersion }))).toEqual(['node.ok']);
  });

  it.each(['18.20.4', '20.18.9', '9.99.99'])('refuses %s', async (nodeVersion) => {
    const [finding] = await findings(nodeExamination({ nodeVersion }));
    expect(finding).toMatchObject({ id: 'node.too-old', verdict: 'fail' });
    expect(finding?.found).toContain(nodeVersion);
  });
});

describe('the examination of the package sd-notify', () => {
  const parts = (canNotify: boolean, systemdRuns: boolean): Parameters<typeof notifyPackageExamination>[0] => ({
    canNotify: () => Promise.resolve(canNotify),
    systemdRuns: () => Promise.resolve(systemdRuns),
    folder: '/opt/techtemp/current',
  });

  it('needs it only where systemd waits for a word of it', async () => {
    expect(await ids(notifyPackageExamination(parts(true, true)))).toEqual(['notify-package.ok']);
    expect(await ids(notifyPackageExamination(parts(false, false)))).toEqual(['notify-package.not-needed']);
    const [finding] = await findings(notifyPackageExamination(parts(false, true)));
    expect(finding?.id).toBe('notify-package.missing');
    expect(finding?.remedy).toContain('$ cd /opt/techtemp/current && sudo npm rebuild sd-notify');
  });
});

describe('the examination of the power supply', () => {
  it.each([
    ['throttled=0x0', 'power.ok'],
    ['throttled=0x50005', 'power.low-now'],
    ['throttled=0x50000', 'power.low-before'],
    ['VCHI initialization failed', 'power.unknown'],
  ])('reads %s as %s', async (output, id) => {
    expect(await ids(powerExamination(machineWith('vcgencmd', `${output}\n`)))).toEqual([id]);
  });

  it('says nothing about a machine that is no Pi', async () => {
    expect(await ids(powerExamination(createMachine({ PATH: folder })))).toEqual(['power.no-pi']);
  });
});

describe('the examination of the clock', () => {
  const now = Date.UTC(2027, 0, 1);
  async function examineClock(options: {
    readonly nowMs?: number;
    readonly sync?: TimeSync;
    readonly source?: 'auto' | 'trust';
    readonly evidence?: readonly Evidence[];
    readonly stepMs?: number;
  }): Promise<readonly Finding[]> {
    const clock = new FakeClock({ nowMs: options.nowMs ?? now });
    const examination = clockExamination({
      clock,
      synchronisation: (time) =>
        synchronisationFinding(time, {
          probe: () => Promise.resolve(options.sync ?? 'synced'),
          settings: { source: options.source ?? 'auto', clockWaitMs: 60_000 },
          configFile: '/etc/techtemp/device.conf',
        }),
      evidence: () => Promise.resolve(options.evidence ?? []),
    });
    const result = examination.run(neverAborted);
    await clock.advance(100);
    clock.stepWall(options.stepMs ?? 0);
    await clock.advance(1_000);
    return await result;
  }

  it('accepts a synchronised clock, and one that the config trusts', async () => {
    expect((await examineClock({}))[0]?.id).toBe('clock.ok');
    expect((await examineClock({ sync: 'unsynced', source: 'trust' }))[0]?.id).toBe('clock.trusted');
  });

  it('warns of a clock that nobody has set, and of one that nobody can vouch for', async () => {
    expect((await examineClock({ sync: 'unsynced' }))[0]?.id).toBe('clock.unsynchronised');
    expect((await examineClock({ sync: 'unknown' }))[0]?.id).toBe('clock.unknown');
    expect((await examineClock({ sync: 'no-answer' }))[0]?.id).toBe('clock.no-answer');
  });

  it('knows a clock in the past: before this program was written, before a file was changed', async () => {
    const [finding] = await examineClock({ nowMs: Date.UTC(2020, 0, 1) });
    expect(finding).toMatchObject({ id: 'clock.past', verdict: 'fail' });
    expect(finding?.found).toContain('2020-01-01');
    const evidence = [{ tsMs: now + 3_600_000, what: 'device.conf was changed an hour later' }];
    expect((await examineClock({ evidence }))[0]?.found).toContain('device.conf was changed an hour later');
  });

  it('notices that somebody moves the clock, and does not mistake slewing for it', async () => {
    expect((await examineClock({ stepMs: -3_600_000 }))[0]).toMatchObject({ id: 'clock.jumping', verdict: 'fail' });
    expect((await examineClock({ stepMs: 20 }))[0]?.id).toBe('clock.ok');
  });
});

describe('the examination of the service', () => {
  const running = {
    LoadState: 'loaded',
    ActiveState: 'active',
    SubState: 'running',
    UnitFileState: 'enabled',
    FragmentPath: '/etc/systemd/system/techtemp-device.service',
    ExecStart: '{ path=/usr/bin/node ; argv[]=node /opt/techtemp/current/dist/techtemp-device.js run ; pid=1 }',
    Result: 'success',
    ExecMainStatus: '0',
    NRestarts: '0',
    ActiveEnterTimestampMonotonic: '1000000',
    WatchdogUSec: '2min',
    NeedDaemonReload: 'no',
    StatusText: '21.43 °C, 45.2 %RH; 0 waiting',
  };
  async function examineUnit(
    changes: Partial<typeof running> & Readonly<Record<string, string>>,
  ): Promise<readonly Finding[]> {
    const output = Object.entries({ ...running, ...changes }).map(([key, value]) => `${key}=${value}\n`);
    const machine = machineWith('systemctl', output.join(''));
    return await findings(deviceUnit(machine, true, new FakeClock({ monotonicMs: 2_000_000 })));
  }

  it('is content with a unit that runs, and repeats its own words', async () => {
    const found = await examineUnit({});
    expect(found.map(({ id }) => id)).toEqual(['unit.ok']);
    expect(found[0]?.found).toContain('21.43 °C');
  });

  it('says nothing where systemd does not run', async () => {
    const machine = machineWith('systemctl', '');
    const clock = new FakeClock();
    expect(await ids(deviceUnit(machine, false, clock))).toEqual(['unit.no-systemd']);
  });

  it('does not take silence, or a refusal, for an answer', async () => {
    const clock = new FakeClock();
    writeFileSync(
      join(folder, 'systemctl'),
      '#!/bin/sh\necho "Failed to connect to bus: Permission denied" >&2; exit 1\n',
      {
        mode: 0o755,
      },
    );
    const refused = createMachine({ PATH: `${folder}:/bin:/usr/bin` });
    const [finding] = await findings(deviceUnit(refused, true, clock));
    expect(finding).toMatchObject({ id: 'unit.unknown', verdict: 'warn' });
    expect(finding?.found).toContain('Failed to connect to bus: Permission denied');
    const slow: Machine = {
      ...refused,
      runProgram: () => Promise.resolve({ state: 'silent', problem: 'systemctl gave no answer within 10 s' }),
    };
    expect((await findings(deviceUnit(slow, true, clock)))[0]?.found).toContain('systemctl gave no answer within 10 s');
    expect(await ids(powerExamination(slow))).toEqual(['power.unknown']);
    const without: Machine = { ...refused, runProgram: () => Promise.resolve({ state: 'missing' }) };
    expect(await ids(deviceUnit(without, true, clock))).toEqual(['unit.unknown']);
  });

  it.each([
    ['unit.not-installed', { LoadState: 'not-found', ActiveState: 'inactive' }],
    ['unit.masked', { LoadState: 'masked', ActiveState: 'inactive' }],
    ['unit.bad-setting', { LoadState: 'bad-setting', LoadError: 'Unit has a bad unit file setting.' }],
    ['unit.stopped', { ActiveState: 'inactive', SubState: 'dead' }],
    ['unit.restarting', { ActiveState: 'activating', SubState: 'auto-restart', NRestarts: '7', Result: 'exit-code' }],
    ['unit.restarting', { NRestarts: '7', ActiveEnterTimestampMonotonic: '1990000000' }],
  ] as const)('reports %s', async (id, changes) => {
    expect((await examineUnit(changes)).map((finding) => finding.id)).toEqual([id]);
  });

  it('forgives restarts that are long past', async () => {
    expect((await examineUnit({ NRestarts: '7' })).map(({ id }) => id)).toEqual(['unit.ok']);
  });

  it.each([
    [{ Result: 'exit-code', ExecMainStatus: '78' }, 'config is not valid'],
    [{ Result: 'exit-code', ExecMainStatus: '203' }, 'was not found'],
    [{ Result: 'exit-code', ExecMainStatus: '216' }, 'i2c-tools'],
    [{ Result: 'watchdog', ExecMainStatus: '6' }, 'watchdog ended it'],
    [{ Result: 'timeout', ExecMainStatus: '15' }, 'ready'],
    [{ Result: 'oom-kill', ExecMainStatus: '9' }, 'memory'],
    [{ Result: 'exit-code', ExecMainStatus: '1' }, 'log says why'],
  ])('explains a failure with %o', async (changes, cause) => {
    const [finding] = await examineUnit({ ActiveState: 'failed', SubState: 'failed', ...changes });
    expect(finding?.id).toBe('unit.failed');
    expect(finding?.cause).toContain(cause);
    expect(finding?.remedy).toContain('$ journalctl -u techtemp-device.service -n 20 --no-pager');
  });

  it('remarks what will hurt later: not enabled, no watchdog, an edit that is not in force', async () => {
    const found = await examineUnit({ UnitFileState: 'disabled', WatchdogUSec: '0', NeedDaemonReload: 'yes' });
    expect(found.map(({ id }) => id)).toEqual(['unit.ok', 'unit.disabled', 'unit.no-watchdog', 'unit.stale']);
    expect((await examineUnit({ WatchdogUSec: 'infinity' })).map(({ id }) => id)).toContain('unit.no-watchdog');
  });

  it('recognises the unit of the older agent by the program that it starts', async () => {
    const program = join(folder, 'techtemp-device');
    copyFileSync('/bin/true', program);
    const ExecStart = `{ path=${program} ; argv[]=${program} config/device.conf ; pid=0 }`;
    const [finding] = await examineUnit({ ExecStart });
    expect(finding).toMatchObject({ id: 'unit.older-agent', verdict: 'fail' });
    expect(finding?.found).toContain('config/device.conf');
    // Our own program under the same name is a script.
    writeFileSync(program, '#!/usr/bin/env node\n');
    expect((await examineUnit({ ExecStart })).map(({ id }) => id)).toEqual(['unit.ok']);
  });
});

describe('the search for other programs', () => {
  it('finds a running older agent, and nothing where there is none', async () => {
    const program = join(folder, 'techtemp-device');
    copyFileSync('/bin/sleep', program);
    chmodSync(program, 0o755);
    const child = spawn(program, ['600']);
    children.push(child);
    await until('the older agent runs', async () => {
      const found = await findings(olderAgentExamination({ root: '/' }));
      return found.some(({ id, found: text }) => id === 'older-agent.running' && text.includes(String(child.pid)));
    });
    expect(await ids(olderAgentExamination({ root: folder }))).toEqual(['older-agent.none']);
  });

  it('warns of another program that holds the bus', async () => {
    // A /proc in which process 4242 has the device open, as the links of the real one say it.
    const process4242 = join(folder, 'proc/4242');
    mkdirSync(join(process4242, 'fd'), { recursive: true });
    symlinkSync('/dev/i2c-1', join(process4242, 'fd/7'));
    symlinkSync('/usr/bin/python3', join(process4242, 'exe'));
    const frame = Buffer.from('1C65B425CD26C6', 'hex');
    const bus: I2cBus = {
      path: '/dev/i2c-1',
      write: () => Promise.resolve(),
      read: (_, length) => Promise.resolve(length === 1 ? Uint8Array.of(0x1c) : frame),
      hungTransfers: () => 0,
      close: () => Promise.resolve(),
    };
    const found = await findings(
      i2cExamination({
        sensor: sensorSection({ type: 'aht20' }),
        openBus: () => Promise.resolve(bus),
        lock: { runExclusive: (task) => task() },
        delay: () => Promise.resolve(),
        monotonicMs: () => 0,
        configFile: 'device.conf',
        folder,
        root: folder,
      }),
    );
    expect(found.map(({ id }) => id)).toEqual(['bus.ok', 'bus.shared', 'sensor.ok', 'sensor.frozen']);
    expect(found[1]?.found).toContain('/usr/bin/python3 (process 4242)');
  });

  it('does not blame the sensor when the machine was too busy to measure', async () => {
    let nowMs = 0;
    const bus: I2cBus = {
      path: '/dev/i2c-1',
      write: () => Promise.resolve(),
      read: (_, length) => Promise.resolve(Buffer.alloc(length, 0x18)),
      hungTransfers: () => 0,
      close: () => Promise.resolve(),
    };
    const examination = i2cExamination({
      sensor: sensorSection({ type: 'aht20' }),
      openBus: () => Promise.resolve(bus),
      lock: { runExclusive: (task) => task() },
      delay: () => {
        nowMs += 3_000;
        return Promise.resolve();
      },
      monotonicMs: () => nowMs,
      configFile: 'device.conf',
      folder,
      root: folder,
    });
    expect(await ids(examination)).toEqual(['bus.ok', 'sensor.no-time']);
  });

  it('finds who holds a device file open, but not ourselves', async () => {
    const device = join(folder, 'i2c-1');
    writeFileSync(device, '');
    const child = spawn('sh', ['-c', `exec sleep 600 < '${device}'`]);
    children.push(child);
    await until('the file is open', async () => (await holdersOf(device, '/')).some(({ pid }) => pid === child.pid));
    expect(await holdersOf(join(folder, 'i2c-2'), '/')).toEqual([]);
  });
});

describe('the examination of the journal folder', () => {
  const examineFolder = async (
    path: string,
    changes: { minFreeBytes?: number; isPrivate?: boolean } = {},
  ): Promise<readonly Finding[]> =>
    await findings(
      stateFolderExamination({
        folder: path,
        minFreeBytes: 0,
        configFile: 'device.conf',
        isPrivate: false,
        ...changes,
      }),
    );
  const firstId = async (...args: Parameters<typeof examineFolder>): Promise<string | undefined> =>
    (await examineFolder(...args))[0]?.id;

  it('is content with a folder that can be written to, or that can be made', async () => {
    expect(await firstId(folder)).toBe('state.ok');
    expect(await firstId(join(folder, 'not', 'yet'))).toBe('state.not-yet');
  });

  it('leaves nothing behind', async () => {
    const before = execFileSync('ls', ['-lA', '--time-style=full-iso', folder], { encoding: 'utf8' });
    await examineFolder(folder);
    expect(execFileSync('ls', ['-lA', '--time-style=full-iso', folder], { encoding: 'utf8' })).toBe(before);
  });

  it('refuses a file in the place of the folder', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(await firstId(join(folder, 'file'))).toBe('state.not-a-folder');
    expect(await firstId(join(folder, 'file', 'journal'))).toBe('state.not-a-folder');
  });

  it('knows a disk that is full or nearly so', async () => {
    const free = Number(execFileSync('df', ['--output=avail', '-B1', folder], { encoding: 'utf8' }).split('\n')[1]);
    expect(await firstId(folder, { minFreeBytes: free * 2 })).toBe('state.full');
    expect(await firstId(folder, { minFreeBytes: Math.floor(free * 0.7) })).toBe('state.nearly-full');
  });
});
