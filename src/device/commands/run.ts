import { existsSync } from 'node:fs';
import type { Clock } from '../../common/clock.ts';
import { ConfigError, describeProblem } from '../../common/config/config-problem.ts';
import type { ReloadResult } from '../../common/config/live-config.ts';
import type { Log } from '../../common/log.ts';
import { createNotifier, type Notifier } from '../../common/notify.ts';
import { oneAtATime } from '../../common/one-at-a-time.ts';
import { createLog } from '../../common/pino-log.ts';
import { createReloadAnswers, type ReloadAnswers } from '../../common/reload-answer.ts';
import type { ProcessSignals } from '../../common/signals.ts';
import { stateDirectory } from '../../common/state-directory.ts';
import { createSystemClock, systemRandom } from '../../common/system-clock.ts';
import { probeTimeSync } from '../../common/time-sync.ts';
import { logSettings, runAgent } from '../agent.ts';
import { openDeviceUid, readNetworkInterfaces } from '../config/device-uid.ts';
import { openDeviceConfig } from '../config/open-config.ts';
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
  const log = await createLog({ level: 'info', format: 'auto', clock, env });
  const notifier = await createNotifier({ env, pid: process.pid, clock });
  if (notifier.problem !== undefined) log.error({}, notifier.problem);

  const config = await openDeviceConfig({
    path: configPath,
    env,
    flags,
    clock,
    signal: signals.stop,
    fallbackUid: () => fallbackUid(env, log),
    ...reloadHooks(log),
  }).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    return error;
  });
  if (config instanceof ConfigError) {
    for (const problem of config.problems) log.fatal({}, describeProblem(problem));
    if (config.problems.length === 0) log.fatal({}, config.message);
    notifier.status(`can't start: ${config.message}`);
    return { exitCode: EXIT_CONFIG, hungTransfers: 0 };
  }
  log.configure(logSettings(config.current.logging));
  const answers = createReloadAnswers(env['RUNTIME_DIRECTORY']);
  signals.onReload(oneAtATime(() => reload(() => config.reload('SIGHUP'), notifier, answers, log)));

  const version = process.env['TECHTEMP_VERSION'] ?? 'development';
  log.info({ version, config: configPath }, `techtemp-device ${version} begins`);
  const end = await runAgent(
    {
      config,
      clock,
      random: systemRandom,
      log,
      notifier,
      probeTimeSync,
      env,
      version,
      whenAbsent: options.whenAbsent ?? 'fault',
      ...(options.sensorClock !== undefined && { sensorClock: options.sensorClock }),
      hasBus: (busNumber) => existsSync(`/dev/i2c-${busNumber}`),
      ...(options.onReading !== undefined && { onReading: options.onReading }),
    },
    signals.stop,
  );
  log.info({}, 'techtemp-device ends in good order');
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

async function reload(
  read: () => Promise<ReloadResult>,
  notifier: Notifier,
  answers: ReloadAnswers,
  log: Log,
): Promise<void> {
  notifier.reloading();
  const question = await answers.question();
  const result = await read();
  notifier.ready();
  const message =
    result.outcome === 'rejected'
      ? result.problems.map(describeProblem).join('\n')
      : [...result.warnings.map(describeProblem), outcomeText(result)].join('\n');
  const { outcome, generation } = result;
  await answers.answer(question, { result: outcome, generation, message }).catch((error: unknown) => {
    log.warn({ err: error }, 'the answer to systemctl reload could not be written');
  });
}

function reloadHooks(log: Log): {
  readonly onApplied: (result: ReloadResult) => void;
  readonly onUnchanged: (result: ReloadResult) => void;
  readonly onRejected: (result: ReloadResult) => void;
} {
  const taken = (result: ReloadResult): void => {
    for (const warning of result.warnings) log.warn({}, describeProblem(warning));
    log.info({ reason: result.reason, generation: result.generation }, outcomeText(result));
  };
  return {
    onApplied: taken,
    onUnchanged: taken,
    onRejected: (result) => {
      for (const problem of result.problems) log.error({}, describeProblem(problem));
      log.error({ reason: result.reason }, 'the edited configuration was refused; the one in force stays');
    },
  };
}

function outcomeText(result: ReloadResult): string {
  switch (result.outcome) {
    case 'applied':
      return `in force: a new configuration (changed: ${result.changed.map((name) => `[${name}]`).join(', ')})`;
    case 'unchanged':
      return 'the configuration says what is in force already';
    case 'rejected':
      return 'refused';
  }
}
