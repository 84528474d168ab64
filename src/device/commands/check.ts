import { access, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createI2cBusOpener, type I2cBus, type OpenI2cBus } from '../../../drivers/i2c/bus.ts';
import { createSensorLock } from '../../../drivers/i2c/lock.ts';
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
import {
  clockExamination,
  type Evidence,
  nodeExamination,
  notifyPackageExamination,
} from '../../doctor/examinations/runtime.ts';
import { unitExamination } from '../../doctor/examinations/unit.ts';
import { createMachine, type Machine } from '../../doctor/machine.ts';
import { stateDirectory } from '../../platform/files.ts';
import { createNotifier } from '../../platform/systemd.ts';
import { createMachineTimeSync } from '../../platform/time-sync.ts';
import type { LoadedDeviceConfig } from '../config.ts';
import { brokerExamination } from '../doctor/examinations/broker.ts';
import { type ConfigOutcome, configExamination } from '../doctor/examinations/config.ts';
import { i2cExamination } from '../doctor/examinations/i2c.ts';
import {
  type JournalLook,
  journalExamination,
  lastWriteMs,
  lookAtJournals,
  stateFolderExamination,
} from '../doctor/examinations/journal.ts';
import {
  olderAgentExamination,
  olderUnit,
  powerExamination,
  synchronisationFinding,
} from '../doctor/examinations/system.ts';
import { report } from '../doctor/findings/catalogue.ts';
import { createOpenLink } from '../mqtt/client.ts';
import { loadMemory, NEW_MEMORY } from '../publisher/state-file.ts';
import { type CommandIo, EXIT_CONFIG, EXIT_FAILED, EXIT_OK, type ExitCode } from './command-io.ts';
import {
  type ConfigOptions,
  journalFolder,
  journalRegister,
  loadConfigOrDefaults,
  SERVICE_STATE_DIRECTORY,
  serviceEnvironment,
} from './config.ts';

const UNIT = 'techtemp-device.service';

export interface CheckSetting {
  readonly options: ConfigOptions;
  readonly io: CommandIo;
  readonly machine: Machine;
  readonly outcome: ConfigOutcome;
}

export interface CheckPlan {
  readonly examinations: readonly Examination[];
  /** Transfers that did not return; asked when all is done. */
  readonly hungTransfers: () => number;
}

/** The doctor's composition root: every examination with what it needs, in the order of the report. */
export async function planExaminations(setting: CheckSetting): Promise<CheckPlan> {
  const { options, io, machine, outcome } = setting;
  const { clock, env } = io;
  const opened: I2cBus[] = [];
  const openNative = createI2cBusOpener({ delay: clock.sleep, monotonicMs: clock.monotonicMs });
  const openBus: OpenI2cBus = async (busNumber) => {
    const bus = await openNative(busNumber);
    opened.push(bus);
    return bus;
  };
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
  const look = once<JournalLook>(() =>
    outcome.state === 'unusable'
      ? Promise.resolve({ state: 'forbidden' })
      : lookAtJournals(journalFolder(outcome.loaded, options, io), journalRegister(options, io)),
  );
  const settings = outcome.state === 'unusable' ? undefined : outcome.loaded.config.clock;
  const examinations = [
    nodeExamination(machine),
    configExamination({ file: options.configPath, outcome, passwordInFile }),
    ...(outcome.state === 'unusable'
      ? withoutConfig()
      : withConfig(setting, { loaded: outcome.loaded, folder, openBus, look })),
    powerExamination(machine),
    clockExamination({
      clock,
      synchronisation: (time) =>
        synchronisationFinding(time, { probe: createMachineTimeSync(clock), settings, configFile: options.configPath }),
      evidence: () => evidenceOf(options.configPath, look),
    }),
    unitExamination({
      unit: UNIT,
      machine,
      systemdRuns,
      clock,
      impostor: (properties) => olderUnit(UNIT, properties, machine.root),
    }),
    notifyPackageExamination({ canNotify, systemdRuns, folder }),
    olderAgentExamination(machine),
  ];
  return { examinations, hungTransfers: () => Math.max(0, ...opened.map((bus) => bus.hungTransfers())) };
}

interface WithConfig {
  readonly loaded: LoadedDeviceConfig;
  /** Where TechTemp is installed. */
  readonly folder: string;
  readonly openBus: OpenI2cBus;
  readonly look: () => Promise<JournalLook>;
}

function withConfig(
  { options, io, machine }: CheckSetting,
  { loaded, folder, openBus, look }: WithConfig,
): readonly Examination[] {
  const { clock } = io;
  const { config } = loaded;
  const configFile = options.configPath;
  const timing = { delay: clock.sleep, monotonicMs: clock.monotonicMs };
  const { i2cBus: busNumber, i2cAddress: address } = config.sensor;
  const journals = journalFolder(loaded, options, io);
  const memoryPath = join(stateDirectory(serviceEnvironment(options, io)), 'delivery.json');
  const remembered = once(async () => {
    const { memory, problem } = await loadMemory(memoryPath);
    return problem === undefined ? memory : NEW_MEMORY;
  });
  return [
    i2cExamination({
      ...timing,
      sensor: config.sensor,
      openBus,
      lock: createSensorLock({ ...timing, busNumber, address }),
      configFile,
      folder,
      root: machine.root,
    }),
    stateFolderExamination({
      folder: journals,
      minFreeBytes: config.journal.minFreeBytes,
      configFile,
      isPrivate: journals.startsWith(`${SERVICE_STATE_DIRECTORY}/`),
    }),
    journalExamination({
      folder: journals,
      maxReadings: config.journal.maxReadings,
      configFile,
      look,
      isKeptForNobody: async () => {
        const { servers, nobodySubscribed } = await remembered();
        return servers.length === 0 && nobodySubscribed && config.mqtt.noSubscriber === 'keep';
      },
    }),
    brokerExamination({
      mqtt: config.mqtt,
      deviceUid: config.device.deviceUid,
      homeId: config.device.homeId,
      configFile,
      env: serviceEnvironment(options, io),
      openLink: createOpenLink({ clock }),
      clock,
      ownJournal: async () => {
        const seen = await look();
        if (seen.state !== 'seen' || seen.reports.length === 0) return undefined;
        return { epochs: seen.reports.map(({ epoch }) => epoch), isInUse: seen.isInUse };
      },
      rememberedServers: async () => (await remembered()).servers,
      root: machine.root,
    }),
  ];
}

/** What cannot be examined while the config says nothing that holds; said, so that silence is not mistaken for health. */
function withoutConfig(): readonly Examination[] {
  const titles = { i2c: 'Sensor', state: 'Journal folder', journal: 'Journal', broker: 'MQTT broker' };
  return Object.entries(titles).map(([id, title]) => ({
    id,
    title,
    run: () => Promise.resolve([report('check.needs-config')]),
  }));
}

/** Files that were written at a time that is still to come. */
async function evidenceOf(configFile: string, look: () => Promise<JournalLook>): Promise<readonly Evidence[]> {
  const evidence: Evidence[] = [];
  const add = (what: string, tsMs: number | undefined): void => {
    if (tsMs !== undefined) evidence.push({ tsMs, what: `${what} on ${new Date(tsMs).toISOString()}` });
  };
  const file = await stat(configFile).catch(() => undefined);
  add(`${configFile} was changed`, file?.mtimeMs);
  const seen = await look();
  if (seen.state === 'seen') add('the journal was written to', await lastWriteMs(seen.reports));
  return evidence;
}

/** A journal of half a million readings is looked through once, and only when somebody asks. */
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
 * Looks at everything between the sensor and the broker and says what is wrong, why, and what to do. Changes nothing and
 * disturbs no running agent. Findings are printed as they come; with `json` all at once.
 *
 * Exit code: 0 when nothing failed (warnings do not count), 1 when something did, 78 when the config cannot be used, since
 * then the agent does not start whatever else is well.
 * @throws the signal's reason
 */
export async function runCheck(
  options: CheckOptions,
  io: CommandIo,
  machine: Machine = createMachine(io.env),
): Promise<ExitCode> {
  const outcome = await readConfig(options, io);
  const { examinations, hungTransfers } = await planExaminations({ options, io, machine, outcome });
  if (!options.json) io.stdout.write(`techtemp-device check, config ${options.configPath}\n\n`);
  const diagnoses: Diagnosis[] = [];
  for await (const diagnosis of examine(examinations, io.signal)) {
    diagnoses.push(diagnosis);
    if (!options.json) io.stdout.write(printDiagnosis(diagnosis));
  }
  const summary = summarise(diagnoses);
  const exitCode = exitCodeOf(outcome, summary);
  if (options.json) io.stdout.write(`${asJson(options.configPath, diagnoses, summary, exitCode)}\n`);
  else io.stdout.write(`\n${printSummary(summary)}\n`);
  if (hungTransfers() > 0) io.onHungTransfer();
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

/** `{"config":…,"findings":[{"examination":"i2c","id":"bus.off","verdict":"fail","found":…,"cause":…,"remedy":[…]}],"summary":…}` */
function asJson(config: string, diagnoses: readonly Diagnosis[], summary: Summary, exitCode: ExitCode): string {
  const findings = diagnoses.flatMap(({ examination, findings: found }) =>
    found.map((finding) => ({ examination: examination.id, ...finding })),
  );
  return JSON.stringify({ config, findings, summary, exit_code: exitCode }, undefined, 2);
}
