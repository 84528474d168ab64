import { access, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CommandIo } from '../../common/command-io.ts';
import { environmentVariable } from '../../common/config/schema.ts';
import type { ConfigOptions } from '../../common/config-options.ts';
import type { Examination } from '../../common/doctor/examination.ts';
import { clockExamination } from '../../common/doctor/examinations/clock.ts';
import { nodeExamination, notifyPackageExamination } from '../../common/doctor/examinations/runtime.ts';
import { unitExamination } from '../../common/doctor/examinations/unit.ts';
import type { Machine } from '../../common/doctor/machine.ts';
import { createNotifier } from '../../common/notify.ts';
import { givenStateDirectory } from '../../common/state-directory.ts';
import { createMachineTimeSync } from '../../common/time-sync.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { brokerExamination } from '../doctor/examinations/broker.ts';
import { type ConfigOutcome, configExamination } from '../doctor/examinations/config.ts';
import { exposureExamination, httpExamination, lookAtHttp } from '../doctor/examinations/http.ts';
import { devicesExamination, recordExamination, type WithRecord } from '../doctor/examinations/record.ts';
import { sqliteExamination, stateExamination, storeExamination } from '../doctor/examinations/store.ts';
import type { StoreParts } from '../doctor/examinations/store-parts.ts';
import { synchronisationFinding } from '../doctor/examinations/synchronisation.ts';
import { report } from '../doctor/finding.ts';
import { createOpenConnection } from '../mqtt/open-connection.ts';
import { inspectStore, type StoreInspection, sqliteVersion } from '../store/sqlite/inspect.ts';
import { openSqliteStore } from '../store/sqlite/open-store.ts';
import type { Store } from '../store/store.ts';
import { SERVICE_STATE_DIRECTORY, serviceEnvironment, storePathFor, unitOf } from './command-config.ts';

export interface CheckSetting {
  readonly options: ConfigOptions;
  readonly io: CommandIo;
  readonly machine: Machine;
  readonly outcome: ConfigOutcome;
}

export interface CheckPlan {
  readonly examinations: readonly Examination[];
  /** To be called when all is done. */
  readonly close: () => Promise<void>;
}

/** The doctor's composition root: every examination with what it needs, in the order of the report. */
export async function planExaminations(setting: CheckSetting): Promise<CheckPlan> {
  const { options, io, machine, outcome } = setting;
  const { clock, env } = io;
  const folder = await installationFolder();
  const systemdRuns = (): Promise<boolean> => exists(join(machine.root, 'run/systemd/system'));
  const canNotify = async (): Promise<boolean> => {
    // A name for its socket makes the notifier load the package; nothing is ever said through it.
    const notifier = await createNotifier({ env: { NOTIFY_SOCKET: '/techtemp-check' }, pid: process.pid, clock });
    return notifier.state === 'connected';
  };
  const isSet = (name: string): boolean => (env[name] ?? '') !== '';
  const passwordInFile =
    !isSet(environmentVariable('mqtt', 'password')) && options.flags['mqtt.password'] === undefined;
  const record =
    outcome.state === 'unusable'
      ? undefined
      : openRecord(storePathFor(outcome.loaded, options, io), givenStateDirectory(serviceEnvironment(options, io)), io);
  const examinations = [
    nodeExamination(machine),
    configExamination({ file: options.configPath, outcome, passwordInFile }),
    sqliteExamination({ sqliteVersion, nodeVersion: machine.nodeVersion, folder }),
    ...(outcome.state === 'unusable' || record === undefined
      ? withoutConfig()
      : withConfig(setting, { config: outcome.loaded.config, folder, record })),
    clockExamination({
      clock,
      synchronisation: (time) => synchronisationFinding(time, createMachineTimeSync(clock)),
      evidence: async () => {
        const newestMs = (await record?.inspect().catch(() => undefined))?.newestMs ?? null;
        const changed = await stat(options.configPath).catch(() => undefined);
        return [
          ...(changed === undefined ? [] : [evidence(`${options.configPath} was changed`, changed.mtimeMs)]),
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
  { options, io, machine }: CheckSetting,
  { config, folder, record }: { readonly config: ServerConfig; readonly folder: string; readonly record: Record },
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
  ];
}

/** What cannot be examined while the config says nothing that holds; said, so that nobody takes silence for health. */
function withoutConfig(): readonly Examination[] {
  const titles = { state: 'Store folder', store: 'Store', broker: 'MQTT broker', http: 'HTTP', record: 'Record' };
  return Object.entries(titles).map(([id, title]) => ({
    id,
    title,
    run: () => Promise.resolve([report('check.needs-config')]),
  }));
}

function evidence(what: string, tsMs: number): { readonly what: string; readonly tsMs: number } {
  return { tsMs, what: `${what} on ${new Date(tsMs).toISOString()}` };
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work();
    return result;
  };
}

/** The folder with the package.json that belongs to this code, bundled or not. */
async function installationFolder(): Promise<string> {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if ((await exists(join(folder, 'package.json'))) || folder === dirname(folder)) return folder;
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
