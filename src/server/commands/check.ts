import { stat } from 'node:fs/promises';
import type { CommandIo, ExitCode } from '../../cli/command-io.ts';
import type { JsonOption } from '../../cli/program.ts';
import {
  type CheckPlan,
  type CheckSetting,
  checkProgram,
  configFileEvidence,
  evidence,
  exists,
  once,
  withoutConfig,
} from '../../doctor/check-command.ts';
import type { Examination } from '../../doctor/doctor.ts';
import { type ConfigFindings, type ConfigParts, configExamination } from '../../doctor/examinations/config.ts';
import { clockExamination, nodeExamination, notifyPackageExamination } from '../../doctor/examinations/runtime.ts';
import { unitExamination } from '../../doctor/examinations/unit.ts';
import type { Finding } from '../../doctor/finding.ts';
import type { Machine } from '../../doctor/machine.ts';
import { givenStateDirectory } from '../../platform/files.ts';
import { createMachineTimeSync, type ProbeTimeSync } from '../../platform/time-sync.ts';
import type { LoadedServerConfig, ServerConfig } from '../config.ts';
import { backupExamination } from '../doctor/examinations/backups.ts';
import { brokerExamination } from '../doctor/examinations/broker.ts';
import { exposureExamination, httpExamination, lookAtHttp } from '../doctor/examinations/http.ts';
import { devicesExamination, recordExamination, type WithRecord } from '../doctor/examinations/record.ts';
import {
  type StoreParts,
  sqliteExamination,
  stateExamination,
  storeExamination,
} from '../doctor/examinations/store.ts';
import { report } from '../doctor/findings/catalogue.ts';
import { createOpenConnection } from '../mqtt/open-connection.ts';
import { inspectStore, type StoreInspection, sqliteVersion } from '../store/sqlite/inspect.ts';
import { openSqliteStore } from '../store/sqlite/open-store.ts';
import type { Store } from '../store/store.ts';
import { loadConfigOrDefaults, SERVICE_STATE_DIRECTORY, serviceEnvironment, storePathFor, unitOf } from './config.ts';

/** What needs a config that can be used. */
const TITLES = {
  state: 'Store folder',
  store: 'Store',
  broker: 'MQTT broker',
  http: 'HTTP',
  record: 'Record',
  backup: 'Backups',
};

/** `check` of the server: everything between the broker and the record. */
export async function runCheck(options: JsonOption, io: CommandIo, machine?: Machine): Promise<ExitCode> {
  return await checkProgram({ name: 'techtemp-server', load: loadConfigOrDefaults, plan }, options, io, machine);
}

type Setting = CheckSetting<LoadedServerConfig>;

/** Every examination with what it needs, in the order of the report. */
function plan(setting: Setting): CheckPlan {
  const { options, io, machine, outcome, folder, systemdRuns, canNotify, passwordInFile } = setting;
  const { clock } = io;
  const record =
    outcome.state === 'unusable'
      ? undefined
      : openRecord(storePathFor(outcome.loaded, options, io), givenStateDirectory(serviceEnvironment(options, io)), io);
  const examinations = [
    nodeExamination(machine),
    serverConfigExamination({ file: options.configPath, outcome, passwordInFile }),
    sqliteExamination({ sqliteVersion, nodeVersion: machine.nodeVersion, folder }),
    ...(outcome.state === 'unusable' || record === undefined
      ? withoutConfig(TITLES, report('check.needs-config'))
      : withConfig(setting, outcome.loaded.config, record)),
    clockExamination({
      clock,
      synchronisation: (time) => synchronisationFinding(time, createMachineTimeSync(clock)),
      evidence: async () => {
        const newestMs = (await record?.inspect().catch(() => undefined))?.newestMs ?? null;
        return [
          ...(await configFileEvidence(options.configPath)),
          ...(newestMs === null ? [] : [evidence('the newest reading was measured', newestMs)]),
        ];
      },
    }),
    unitExamination({ unit: unitOf(options), machine, systemdRuns, clock }),
    notifyPackageExamination({ canNotify, systemdRuns, folder }),
  ];
  return { examinations, close: async () => await record?.close() };
}

interface Record {
  readonly path: string;
  readonly inspect: () => Promise<StoreInspection | undefined>;
  /** Undefined where there is no store of our version that could be opened. */
  readonly store: () => Promise<Store | undefined>;
  readonly close: () => Promise<void>;
}

/** The store is looked into once, and opened once, only where that neither makes nor migrates it. */
function openRecord(path: string, stateFolder: string | undefined, io: CommandIo): Record {
  const inspect = once(async () => {
    if (!(await exists(path))) await reachable(path);
    return await inspectStore(path, stateFolder);
  });
  let opened: Store | undefined;
  const store = once(async () => {
    const found = await inspect().catch(() => undefined);
    if (found?.state !== 'present') return undefined;
    opened = await openSqliteStore({
      path,
      clock: io.clock,
      openedBy: 'command',
      ...(stateFolder !== undefined && { stateFolder }),
    });
    return opened;
  });
  return { path, inspect, store, close: async () => await opened?.close() };
}

/** @throws what keeps us from knowing whether there is such a file */
async function reachable(path: string): Promise<void> {
  await stat(path).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  });
}

function withConfig(
  { options, io, machine, folder }: Setting,
  config: ServerConfig,
  record: Record,
): readonly Examination[] {
  const { clock } = io;
  const configFile = options.configPath;
  const unit = unitOf(options);
  const parts: StoreParts = {
    path: record.path,
    minFreeBytes: config.store.minFreeBytes,
    configFile,
    unit,
    isPrivate: record.path.startsWith(`${SERVICE_STATE_DIRECTORY}/`),
  };
  const look = once(() => lookAtHttp(config.http));
  const withRecord: WithRecord = async (work) => {
    const store = await record.store();
    return store === undefined ? [report('check.needs-store')] : await work(store);
  };
  return [
    stateExamination(parts),
    storeExamination(parts, record.inspect),
    brokerExamination({
      mqtt: config.mqtt,
      configFile,
      unit,
      folder,
      env: serviceEnvironment(options, io),
      root: machine.root,
      openConnection: createOpenConnection({ clock }),
      clock,
      // A server that is there and too busy to answer is no twin of itself.
      isRunning: async () => ['ours', 'silent'].includes((await look()).state),
    }),
    httpExamination({ http: config.http, configFile, unit, look }),
    exposureExamination({
      http: config.http,
      configFile,
      nowMs: clock.nowMs(),
      tokens: async () => await (await record.store())?.tokens(),
    }),
    devicesExamination(withRecord, clock),
    recordExamination(withRecord, clock),
    backupExamination({ config, configFile, recordPath: record.path, clock }),
  ];
}

const FINDINGS: ConfigFindings = {
  ok: (facts) => report('config.ok', facts),
  missing: (facts) => report('config.missing', facts),
  unreadable: (facts) => report('config.unreadable', facts),
  invalid: (facts) => report('config.invalid', facts),
  warning: (facts) => report('config.warning', facts),
  passwordReadable: (facts) => report('config.password-readable', facts),
  passwordFileReadable: (facts) => report('config.password-readable', facts),
};

/** The config as the server reads it. */
function serverConfigExamination(
  parts: Pick<ConfigParts<LoadedServerConfig>, 'file' | 'outcome' | 'passwordInFile'>,
): Examination {
  return configExamination({ ...parts, findings: FINDINGS });
}

/** What it means to the server whether its clock is synchronised. */
export async function synchronisationFinding(time: string, probe: ProbeTimeSync): Promise<Finding> {
  switch (await probe()) {
    case 'synced':
      return report('clock.ok', { time });
    case 'unsynced':
      return report('clock.unsynchronised', { time });
    case 'no-answer':
      return report('clock.no-answer', { time });
    case 'unknown':
      return report('clock.unknown', { time });
  }
}
