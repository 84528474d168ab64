import { access, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { I2cBus, OpenI2cBus } from '../../../drivers/bus.ts';
import { createI2cBusOpener } from '../../../drivers/i2c-bus.ts';
import { createSensorLock } from '../../../drivers/sensor-lock.ts';
import { environmentVariable } from '../../common/config/schema.ts';
import type { Examination } from '../../common/doctor/examination.ts';
import { clockExamination, type Evidence } from '../../common/doctor/examinations/clock.ts';
import { nodeExamination, notifyPackageExamination } from '../../common/doctor/examinations/runtime.ts';
import { unitExamination } from '../../common/doctor/examinations/unit.ts';
import type { Machine } from '../../common/doctor/machine.ts';
import { createNotifier } from '../../common/notify.ts';
import { stateDirectory } from '../../common/state-directory.ts';
import { createMachineTimeSync } from '../../common/time-sync.ts';
import type { LoadedDeviceConfig } from '../config/open-config.ts';
import { brokerExamination } from '../doctor/examinations/broker.ts';
import { type ConfigOutcome, configExamination } from '../doctor/examinations/config.ts';
import { i2cExamination } from '../doctor/examinations/i2c.ts';
import { journalExamination } from '../doctor/examinations/journal.ts';
import { olderUnit } from '../doctor/examinations/older-unit.ts';
import { powerExamination } from '../doctor/examinations/power.ts';
import { olderAgentExamination } from '../doctor/examinations/processes.ts';
import { stateFolderExamination } from '../doctor/examinations/state-folder.ts';
import { synchronisationFinding } from '../doctor/examinations/synchronisation.ts';
import { report } from '../doctor/finding.ts';
import { type JournalLook, lastWriteMs, lookAtJournals } from '../doctor/journal-look.ts';
import { createOpenLink } from '../mqtt/link.ts';
import { loadMemory, NEW_MEMORY } from '../publisher/memory-file.ts';
import {
  type ConfigOptions,
  journalFolder,
  journalRegister,
  SERVICE_STATE_DIRECTORY,
  serviceEnvironment,
} from './command-config.ts';
import type { CommandIo } from './command-io.ts';

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

/** What cannot be examined while the config says nothing that holds; said, so that nobody takes silence for health. */
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
