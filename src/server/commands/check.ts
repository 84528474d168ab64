import { access, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type CommandIo,
  type ConfigOptions,
  EXIT_CONFIG,
  EXIT_FAILED,
  EXIT_OK,
  type ExitCode,
} from '../../cli/command-io.ts';
import { ConfigError } from '../../config/problem.ts';
import { environmentVariable } from '../../config/schema.ts';
import {
  type Diagnosis,
  type Examination,
  examine,
  printDiagnosis,
  printSummary,
  type Summary,
  summarise,
} from '../../doctor/doctor.ts';
import { clockExamination, nodeExamination, notifyPackageExamination } from '../../doctor/examinations/runtime.ts';
import { unitExamination } from '../../doctor/examinations/unit.ts';
import { createMachine, type Machine } from '../../doctor/machine.ts';
import { givenStateDirectory } from '../../platform/files.ts';
import { createNotifier } from '../../platform/systemd.ts';
import { createMachineTimeSync } from '../../platform/time-sync.ts';
import type { ServerConfig } from '../config.ts';
import { brokerExamination } from '../doctor/examinations/broker.ts';
import { type ConfigOutcome, configExamination, synchronisationFinding } from '../doctor/examinations/config.ts';
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

/** What cannot be examined while the config says nothing that holds; said, so that silence is not mistaken for health. */
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

export interface CheckOptions extends ConfigOptions {
  readonly json: boolean;
}

/**
 * Looks at everything between the broker and the record and says what is wrong, why, and what to do. Changes nothing and disturbs
 * no running server. Findings are printed as they come; with `json` all at once.
 *
 * Exit code: 0 when nothing failed (warnings do not count), 1 when something did, 78 when the config cannot be used.
 * @throws the signal's reason
 */
export async function runCheck(
  options: CheckOptions,
  io: CommandIo,
  machine: Machine = createMachine(io.env),
): Promise<ExitCode> {
  const outcome = await readConfig(options, io);
  const { examinations, close } = await planExaminations({ options, io, machine, outcome });
  if (!options.json) io.stdout.write(`techtemp-server check, config ${options.configPath}\n\n`);
  const diagnoses: Diagnosis[] = [];
  try {
    for await (const diagnosis of examine(examinations, io.signal)) {
      diagnoses.push(diagnosis);
      if (!options.json) io.stdout.write(printDiagnosis(diagnosis));
    }
  } finally {
    await close();
  }
  const summary = summarise(diagnoses);
  const exitCode = exitCodeOf(outcome, summary);
  if (options.json) io.stdout.write(`${asJson(options.configPath, diagnoses, summary, exitCode)}\n`);
  else io.stdout.write(`\n${printSummary(summary)}\n`);
  return exitCode;
}

async function readConfig(options: CheckOptions, io: CommandIo): Promise<ConfigOutcome> {
  try {
    const { loaded, isMissing } = await loadConfigOrDefaults(options, io);
    return { state: isMissing ? 'missing' : 'loaded', loaded };
  } catch (error) {
    if (error instanceof ConfigError) return { state: 'unusable', error };
    throw error;
  }
}

function exitCodeOf({ state }: ConfigOutcome, summary: Summary): ExitCode {
  if (state !== 'loaded') return EXIT_CONFIG;
  return summary.fail > 0 ? EXIT_FAILED : EXIT_OK;
}

function asJson(config: string, diagnoses: readonly Diagnosis[], summary: Summary, exitCode: ExitCode): string {
  const findings = diagnoses.flatMap(({ examination, findings: found }) =>
    found.map((finding) => ({ examination: examination.id, ...finding })),
  );
  return JSON.stringify({ config, findings, summary, exit_code: exitCode }, undefined, 2);
}
