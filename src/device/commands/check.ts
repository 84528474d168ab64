import { join } from 'node:path';
import { createI2cBusOpener, type I2cBus, type OpenI2cBus } from '../../../drivers/i2c/bus.ts';
import { createSensorLock } from '../../../drivers/i2c/lock.ts';
import type { JsonOption } from '../../cli/program.ts';
import {
  type CheckPlan,
  type CheckSetting,
  checkProgram,
  configFileEvidence,
  evidence,
  once,
  withoutConfig,
} from '../../doctor/check-command.ts';
import type { Examination } from '../../doctor/doctor.ts';
import { type ConfigFindings, type ConfigParts, configExamination } from '../../doctor/examinations/config.ts';
import {
  clockExamination,
  type Evidence,
  nodeExamination,
  notifyPackageExamination,
} from '../../doctor/examinations/runtime.ts';
import { unitExamination } from '../../doctor/examinations/unit.ts';
import type { Machine } from '../../doctor/machine.ts';
import { stateDirectory } from '../../platform/files.ts';
import { createMachineTimeSync } from '../../platform/time-sync.ts';
import type { LoadedDeviceConfig } from '../config.ts';
import { brokerExamination } from '../doctor/examinations/broker.ts';
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
import { loadState, NEW_STATE } from '../publisher/state-file.ts';
import type { CommandIo, ExitCode } from './command-io.ts';
import {
  journalFolder,
  journalRegister,
  loadConfigOrDefaults,
  SERVICE_STATE_DIRECTORY,
  serviceEnvironment,
} from './config.ts';

const UNIT = 'techtemp-device.service';
/** What needs a config that can be used. */
const TITLES = { i2c: 'Sensor', state: 'Journal folder', journal: 'Journal', broker: 'MQTT broker' };

/** `check` of the agent: everything between the sensor and the broker. */
export async function runCheck(options: JsonOption, io: CommandIo, machine?: Machine): Promise<ExitCode> {
  return await checkProgram({ name: 'techtemp-device', load: loadConfigOrDefaults, plan }, options, io, machine);
}

type Setting = CheckSetting<LoadedDeviceConfig, CommandIo>;

/** Every examination with what it needs, in the order of the report. */
function plan(setting: Setting): CheckPlan {
  const { options, io, machine, outcome, folder, systemdRuns, canNotify, passwordInFile } = setting;
  const { clock } = io;
  const opened: I2cBus[] = [];
  const openNative = createI2cBusOpener({ delay: clock.sleep, monotonicMs: clock.monotonicMs });
  const openBus: OpenI2cBus = async (busNumber) => {
    const bus = await openNative(busNumber);
    opened.push(bus);
    return bus;
  };
  const look = once<JournalLook>(() =>
    outcome.state === 'unusable'
      ? Promise.resolve({ state: 'forbidden' })
      : lookAtJournals(journalFolder(outcome.loaded, options, io), journalRegister(options, io)),
  );
  const settings = outcome.state === 'unusable' ? undefined : outcome.loaded.config.clock;
  const examinations = [
    nodeExamination(machine),
    deviceConfigExamination({ file: options.configPath, outcome, passwordInFile }),
    ...(outcome.state === 'unusable'
      ? withoutConfig(TITLES, report('check.needs-config'))
      : withConfig(setting, { loaded: outcome.loaded, openBus, look })),
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
  const close = (): Promise<void> => {
    if (opened.some((bus) => bus.hungTransfers() > 0)) io.onHungTransfer();
    return Promise.resolve();
  };
  return { examinations, close };
}

interface WithConfig {
  readonly loaded: LoadedDeviceConfig;
  readonly openBus: OpenI2cBus;
  readonly look: () => Promise<JournalLook>;
}

function withConfig(
  { options, io, machine, folder }: Setting,
  { loaded, openBus, look }: WithConfig,
): readonly Examination[] {
  const { clock } = io;
  const { config } = loaded;
  const configFile = options.configPath;
  const timing = { delay: clock.sleep, monotonicMs: clock.monotonicMs };
  const { i2cBus: busNumber, i2cAddress: address } = config.sensor;
  const journals = journalFolder(loaded, options, io);
  const statePath = join(stateDirectory(serviceEnvironment(options, io)), 'delivery.json');
  const remembered = once(async () => {
    const { state, problem } = await loadState(statePath);
    return problem === undefined ? state : NEW_STATE;
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
        return { epochs: seen.reports.map(({ epoch }) => epoch), agent: seen.agent };
      },
      rememberedServers: async () => (await remembered()).servers,
      root: machine.root,
    }),
  ];
}

/** Files that were written at a time that is still to come. */
async function evidenceOf(configFile: string, look: () => Promise<JournalLook>): Promise<readonly Evidence[]> {
  const seen = await look();
  const writtenMs = seen.state === 'seen' ? await lastWriteMs(seen.reports) : undefined;
  return [
    ...(await configFileEvidence(configFile)),
    ...(writtenMs === undefined ? [] : [evidence('the journal was written to', writtenMs)]),
  ];
}

/** What the older agent calls itself when it has no name: the same everywhere. */
const PLACEHOLDER_UID = 'aht20-unknown';

const FINDINGS: ConfigFindings = {
  ok: (facts) => report('config.ok', facts),
  missing: (facts) => report('config.missing', facts),
  unreadable: (facts) => report('config.unreadable', facts),
  invalid: (facts) => report('config.invalid', facts),
  warning: (facts) => report('config.warning', facts),
  passwordReadable: (facts) => report('config.password-readable', facts),
  passwordFileReadable: (facts) => report('config.password-file-readable', facts),
};

/** The config as the agent reads it; besides, whether its uid is one that every older agent has. */
function deviceConfigExamination(
  parts: Pick<ConfigParts<LoadedDeviceConfig>, 'file' | 'outcome' | 'passwordInFile'>,
): Examination {
  const { file } = parts;
  return configExamination({
    ...parts,
    findings: FINDINGS,
    silentKeys: ['device.device_uid'],
    further: ({ config }) =>
      config.device.deviceUid === PLACEHOLDER_UID
        ? [report('config.default-uid', { deviceUid: PLACEHOLDER_UID, file })]
        : [],
  });
}
