import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../common/clock.ts';
import type { Examination } from '../examination.ts';
import { type Finding, report } from '../finding.ts';
import type { Machine } from '../machine.ts';

const UNIT = 'techtemp-device.service';
const PROPERTIES = [
  'LoadState',
  'LoadError',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'FragmentPath',
  'ExecStart',
  'Result',
  'ExecMainStatus',
  'NRestarts',
  'ActiveEnterTimestampMonotonic',
  'WatchdogUSec',
  'NeedDaemonReload',
  'StatusText',
] as const;
type UnitProperties = Readonly<Partial<Record<(typeof PROPERTIES)[number], string>>>;

/** Restarted so often, and up for so short a time: it will not be up for long. */
const MANY_RESTARTS = 3;
const SETTLED_AFTER_MS = 600_000;
const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');

/** What systemd says about our unit: there, enabled, running, watched, and really ours. */
export function unitExamination(
  machine: Pick<Machine, 'runProgram' | 'root'>,
  systemdRuns: () => Promise<boolean>,
  clock: Pick<Clock, 'monotonicMs'>,
): Examination {
  return {
    id: 'unit',
    title: 'Service',
    run: async () => {
      const properties = (await systemdRuns()) ? await showUnit(machine) : undefined;
      if (properties === undefined) return [report('unit.no-systemd')];
      const obstacle = await loadObstacle(properties, machine.root);
      if (obstacle !== undefined) return [obstacle];
      return [stateOf(properties, clock.monotonicMs()), ...remarks(properties)];
    },
  };
}

async function showUnit({ runProgram }: Pick<Machine, 'runProgram'>): Promise<UnitProperties | undefined> {
  const result = await runProgram('systemctl', ['show', UNIT, `--property=${PROPERTIES.join(',')}`]);
  if (result === undefined || result.exitCode !== 0) return undefined;
  const pairs = result.output.split('\n').map((line) => {
    const equals = line.indexOf('=');
    return [line.slice(0, Math.max(0, equals)), line.slice(equals + 1)] as const;
  });
  return Object.fromEntries(pairs);
}

/** Why what systemd would start is not our agent. */
async function loadObstacle(unit: UnitProperties, root: string): Promise<Finding | undefined> {
  if (unit.LoadState === 'not-found') return report('unit.not-installed', { unit: UNIT });
  if (unit.LoadState === 'masked') return report('unit.masked', { unit: UNIT });
  if (unit.LoadState !== 'loaded') {
    return report('unit.bad-setting', { unit: UNIT, problem: unit.LoadError ?? unit.LoadState ?? 'unknown' });
  }
  const program = /path=(\S+)/.exec(unit.ExecStart ?? '')?.[1];
  if (program?.endsWith('/techtemp-device') === true && (await isNative(join(root, program)))) {
    const command = /argv\[\]=([^;]*)/.exec(unit.ExecStart ?? '')?.[1]?.trim() ?? program;
    return report('unit.older-agent', { unit: UNIT, command, path: unit.FragmentPath ?? UNIT });
  }
  return undefined;
}

function stateOf(unit: UnitProperties, monotonicMs: number): Finding {
  const status = unit.ExecMainStatus ?? '?';
  const result = unit.Result ?? '?';
  const failure = { unit: UNIT, result, status, cause: causeOf(result, status) };
  const restarts = Number(unit.NRestarts ?? 0);
  const upMs = monotonicMs - Number(unit.ActiveEnterTimestampMonotonic ?? 0) / 1000;
  if (unit.ActiveState === 'failed') return report('unit.failed', failure);
  if (unit.SubState === 'auto-restart') return report('unit.restarting', { ...failure, restarts });
  if (unit.ActiveState === 'inactive' || unit.ActiveState === 'deactivating')
    return report('unit.stopped', { unit: UNIT });
  if (restarts >= MANY_RESTARTS && upMs < SETTLED_AFTER_MS) return report('unit.restarting', { ...failure, restarts });
  return report('unit.ok', { unit: UNIT, status: unit.StatusText || (unit.SubState ?? 'running') });
}

function remarks(unit: UnitProperties): readonly Finding[] {
  const findings: Finding[] = [];
  if (unit.UnitFileState === 'disabled') findings.push(report('unit.disabled', { unit: UNIT }));
  if (unit.WatchdogUSec === '0' || unit.WatchdogUSec === 'infinity') {
    findings.push(report('unit.no-watchdog', { unit: UNIT }));
  }
  if (unit.NeedDaemonReload === 'yes') findings.push(report('unit.stale', { unit: UNIT }));
  return findings;
}

/** Exit statuses of our own and of systemd (systemd.exec(5), "Process Exit Codes"). */
function causeOf(result: string, status: string): string {
  const byStatus: Readonly<Record<string, string>> = {
    78: 'its config is not valid; the finding about the config says where',
    203: 'node, or the program itself, was not found where the unit says',
    216: 'a group of SupplementaryGroups= does not exist (i2c comes with the package i2c-tools)',
    217: 'the user of User= does not exist',
    218: 'the kernel refuses a capability setting of the unit',
    226: 'a folder that the unit protects or binds does not exist',
    238: 'the folder /var/lib/techtemp cannot be made',
    243: 'a credential of LoadCredential= cannot be read',
  };
  const byResult: Readonly<Record<string, string>> = {
    watchdog: 'it hung, and the watchdog ended it',
    timeout: 'it did not say in time that it is ready; see the finding about the systemd package',
    protocol: 'it ended before it said that it is ready',
    'oom-kill': 'the memory of this machine ran out',
    'core-dump': 'the process crashed',
  };
  return byStatus[status] ?? byResult[result] ?? 'its log says why';
}

async function isNative(path: string): Promise<boolean> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(ELF_MAGIC.length), 0, ELF_MAGIC.length, 0);
      return bytesRead === ELF_MAGIC.length && buffer.equals(ELF_MAGIC);
    } finally {
      await file.close();
    }
  } catch {
    // Not there, or not for us to read: a program under a folder `build` is how the older installation left it.
    return path.includes('/build/');
  }
}
