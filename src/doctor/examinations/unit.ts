import type { Clock } from '../../platform/clock.ts';
import type { Examination } from '../doctor.ts';
import type { Finding } from '../finding.ts';
import { report } from '../findings/catalogue.ts';
import type { Machine } from '../machine.ts';

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
export type UnitProperties = Readonly<Partial<Record<(typeof PROPERTIES)[number], string>>>;

/** Restarted so often, and up for so short a time: it will not be up for long. */
const MANY_RESTARTS = 3;
const SETTLED_AFTER_MS = 600_000;

export interface UnitParts {
  /** `techtemp-device.service` */
  readonly unit: string;
  readonly machine: Pick<Machine, 'runProgram'>;
  readonly systemdRuns: () => Promise<boolean>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Why what systemd would start is not our program, as far as only that program knows. */
  readonly impostor?: (properties: UnitProperties) => Promise<Finding | undefined>;
}

/** What systemd says about a unit of ours: there, enabled, running, watched. */
export function unitExamination({ unit, machine, systemdRuns, clock, impostor }: UnitParts): Examination {
  return {
    id: 'unit',
    title: 'Service',
    run: async () => {
      if (!(await systemdRuns())) return [report('unit.no-systemd')];
      const properties = await showUnit(unit, machine);
      if (typeof properties === 'string') return [report('unit.unknown', { unit, problem: properties })];
      const obstacle = loadObstacle(unit, properties) ?? (await impostor?.(properties));
      if (obstacle !== undefined) return [obstacle];
      return [stateOf(unit, properties, clock.monotonicMs()), ...remarks(unit, properties)];
    },
  };
}

/** What systemd knows of the unit; a text where that could not be found out: the reason. */
async function showUnit(unit: string, { runProgram }: Pick<Machine, 'runProgram'>): Promise<UnitProperties | string> {
  const answer = await runProgram('systemctl', ['show', unit, `--property=${PROPERTIES.join(',')}`]);
  if (answer.state === 'missing') return 'the program systemctl is not there';
  if (answer.state === 'silent') return answer.problem;
  if (answer.exitCode !== 0) {
    const [said = ''] = answer.errors.trim().split('\n');
    return `systemctl failed (exit status ${answer.exitCode})${said === '' ? '' : `: ${said}`}`;
  }
  const pairs = answer.output.split('\n').map((line) => {
    const equals = line.indexOf('=');
    return [line.slice(0, Math.max(0, equals)), line.slice(equals + 1)] as const;
  });
  return Object.fromEntries(pairs);
}

function loadObstacle(unit: string, properties: UnitProperties): Finding | undefined {
  const { LoadState: state, LoadError: problem } = properties;
  if (state === 'not-found') return report('unit.not-installed', { unit });
  if (state === 'masked') return report('unit.masked', { unit });
  if (state !== 'loaded') return report('unit.bad-setting', { unit, problem: problem ?? state ?? 'unknown' });
  return undefined;
}

function stateOf(unit: string, properties: UnitProperties, monotonicMs: number): Finding {
  const status = properties.ExecMainStatus ?? '?';
  const result = properties.Result ?? '?';
  const failure = { unit, result, status, cause: causeOf(result, status) };
  const restarts = Number(properties.NRestarts ?? 0);
  const upMs = monotonicMs - Number(properties.ActiveEnterTimestampMonotonic ?? 0) / 1000;
  const { ActiveState: active, SubState: sub } = properties;
  if (active === 'failed') return report('unit.failed', failure);
  if (sub === 'auto-restart') return report('unit.restarting', { ...failure, restarts });
  if (active === 'inactive' || active === 'deactivating') return report('unit.stopped', { unit });
  if (restarts >= MANY_RESTARTS && upMs < SETTLED_AFTER_MS) return report('unit.restarting', { ...failure, restarts });
  return report('unit.ok', { unit, status: properties.StatusText || (sub ?? 'running') });
}

function remarks(unit: string, properties: UnitProperties): readonly Finding[] {
  const findings: Finding[] = [];
  const { UnitFileState: file, WatchdogUSec: watchdog, NeedDaemonReload: isStale } = properties;
  if (file === 'disabled') findings.push(report('unit.disabled', { unit }));
  if (watchdog === '0' || watchdog === 'infinity') findings.push(report('unit.no-watchdog', { unit }));
  if (isStale === 'yes') findings.push(report('unit.stale', { unit }));
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
    238: 'its folder under /var/lib cannot be made',
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
