import { existsSync } from 'node:fs';
import { openOrExplain, reloadHooks, reloadOnSignal } from '../../cli/reload.ts';
import { type Clock, createSystemClock, systemRandom } from '../../platform/clock.ts';
import { stateDirectory } from '../../platform/files.ts';
import type { Log } from '../../platform/log.ts';
import { createLog, type LogOptions } from '../../platform/pino-log.ts';
import type { ProcessSignals } from '../../platform/signals.ts';
import { createNotifier } from '../../platform/systemd.ts';
import { createMachineTimeSync } from '../../platform/time-sync.ts';
import { logSettings, runAgent } from '../agent.ts';
import { openDeviceConfig } from '../config.ts';
import { openDeviceUid, readNetworkInterfaces } from '../device-uid.ts';
import type { ReadingEntry } from '../journal/journal.ts';
import { EXIT_CONFIG, EXIT_OK, type ExitCode } from './command-io.ts';

export interface RunOptions {
  readonly configPath: string;
  /** `section.key` -> text, stronger than file and environment. */
  readonly flags: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
  /** What `type = auto` does when no sensor answers. Default: that is a fault. */
  readonly whenAbsent?: 'fault' | 'simulate';
  /** Told of each reading once it is in the journal. */
  readonly onReading?: (entry: ReadingEntry) => void;
  /** How the lines of its log look on a screen that it shares. Default: as systemd, a terminal or a program wants them. */
  readonly screen?: Pick<LogOptions, 'format' | 'program'>;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: `clock`. */
  readonly sensorClock?: Clock;
}

export interface RunEnd {
  readonly exitCode: ExitCode;
  /** Transfers that still hang in the kernel; above zero the process can't end in the ordinary way. */
  readonly hungTransfers: number;
}

/**
 * Runs the agent as the service does, until SIGTERM or SIGINT: connects the process (signals, service manager, log, files) to
 * the agent. Resolves with the exit code.
 */
export async function runDevice(options: RunOptions, signals: ProcessSignals): Promise<RunEnd> {
  const { configPath, flags, env, clock = createSystemClock() } = options;
  const log = await createLog({ level: 'info', format: 'auto', clock, env, ...options.screen });
  const notifier = await createNotifier({ env, pid: process.pid, clock });
  if (notifier.problem !== undefined) log.error({}, notifier.problem);

  const opening = openDeviceConfig({
    path: configPath,
    env,
    flags,
    clock,
    signal: signals.stop,
    fallbackUid: () => fallbackUid(env, log),
    ...reloadHooks(log),
  });
  const config = await openOrExplain(opening, log, notifier);
  if (config === undefined) return { exitCode: EXIT_CONFIG, hungTransfers: 0 };
  log.configure(logSettings(config.current.logging));
  reloadOnSignal({ config, signals, notifier, log, env });

  const version = process.env['TECHTEMP_VERSION'] ?? 'development';
  log.info({ version, config: configPath }, `techtemp-device ${version} begins`);
  const end = await runAgent(
    {
      config,
      clock,
      random: systemRandom,
      log,
      notifier,
      probeTimeSync: createMachineTimeSync(clock),
      env,
      version,
      whenAbsent: options.whenAbsent ?? 'fault',
      ...(options.sensorClock !== undefined && { sensorClock: options.sensorClock }),
      hasBus: (busNumber) => existsSync(`/dev/i2c-${busNumber}`),
      ...(options.onReading !== undefined && { onReading: options.onReading }),
    },
    signals.stop,
  );
  log.info({}, 'techtemp-device ends normally');
  return { exitCode: EXIT_OK, hungTransfers: end.hungTransfers };
}

/** The name of a device whose file gives it none; decided once. */
async function fallbackUid(env: NodeJS.ProcessEnv, log: Log): Promise<string> {
  const { uid, source, problem } = await openDeviceUid({
    stateDirectory: stateDirectory(env),
    interfaces: readNetworkInterfaces,
    random: systemRandom,
  });
  if (problem !== undefined) log.warn({}, problem);
  else if (source !== 'remembered') log.info({ device_uid: uid }, `this device is called ${uid} from now on`);
  return uid;
}
