import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type ConfigOptions, EXIT_CONFIG, EXIT_FAILED, EXIT_OK, EXIT_STORE } from '../../cli/command-io.ts';
import { openOrExplain, reloadHooks, reloadOnSignal } from '../../cli/reload.ts';
import { createSystemClock, systemRandom } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { createLog, type LogOptions } from '../../platform/pino-log.ts';
import type { ProcessSignals } from '../../platform/signals.ts';
import { createNotifier } from '../../platform/systemd.ts';
import { createMachineTimeSync } from '../../platform/time-sync.ts';
import { createCommandRun } from '../backup/backup-process.ts';
import { OLDER_VARIABLES, openServerConfig } from '../config.ts';
import { logSettings, runServer, type ServerParts } from '../server.ts';
import { StartError } from '../start-error.ts';

export interface RunOptions extends ConfigOptions, Pick<ServerParts, 'onListening'> {
  readonly env: NodeJS.ProcessEnv;
  /** How the lines of its log look on a screen that it shares. Default: as systemd, a terminal or a program wants them. */
  readonly screen?: Pick<LogOptions, 'format' | 'program'>;
}

export type RunExitCode = typeof EXIT_OK | typeof EXIT_FAILED | typeof EXIT_CONFIG | typeof EXIT_STORE;

const EXIT_CODES = { config: EXIT_CONFIG, store: EXIT_STORE, other: EXIT_FAILED } as const;

/**
 * Runs the server as the service does, until SIGTERM or SIGINT: connects the process (signals, service manager, log, files) to
 * the server. Resolves with the exit code.
 */
export async function runService(options: RunOptions, signals: ProcessSignals): Promise<RunExitCode> {
  const { configPath, flags, env, onListening } = options;
  const clock = createSystemClock();
  const log = await createLog({ level: 'info', format: 'auto', clock, env, ...options.screen });
  const notifier = await createNotifier({ env, pid: process.pid, clock });
  if (notifier.problem !== undefined) log.error({}, notifier.problem);

  const path = await fileOrVariables(configPath, env, log);
  const opening = openServerConfig({ path, env, flags, clock, signal: signals.stop, ...reloadHooks(log) });
  const config = await openOrExplain(opening, log, notifier);
  if (config === undefined) return EXIT_CONFIG;
  log.configure(logSettings(config.current.logging));
  reloadOnSignal({ config, signals, notifier, log, env });

  const version = process.env['TECHTEMP_VERSION'] ?? 'development';
  log.info({ version, config: configPath }, `techtemp-server ${version} begins`);
  try {
    await runServer(
      {
        config,
        clock,
        random: systemRandom,
        log,
        notifier,
        probeTimeSync: createMachineTimeSync(clock),
        env,
        version,
        ...backupRun(options, log),
        ...(onListening !== undefined && { onListening }),
      },
      signals.stop,
    );
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    log.fatal({}, error.message);
    notifier.status(`can't start: ${error.message}`);
    return EXIT_CODES[error.whose];
  }
  log.info({}, 'techtemp-server ends normally');
  return EXIT_OK;
}

/** The program that was built beside this one; none where the sources run. */
function backupRun({ configPath, flags, env }: RunOptions, log: Log): Pick<ServerParts, 'runCommand'> {
  const program = fileURLToPath(new URL('techtemp-server.js', import.meta.url));
  if (!existsSync(program)) return {};
  const onLine = (text: string): void => log.debug({}, `backup: ${text}`);
  return { runCommand: createCommandRun({ program, configPath, flags, env, onLine }) };
}

/**
 * The older server had no file, only variables: where some of them are set, a file that is missing or has nothing in it stands for the
 * defaults. Else it is a fault: a file of ours is never empty, unless a power cut made it so.
 */
async function fileOrVariables(path: string, env: NodeJS.ProcessEnv, log: Log): Promise<string | undefined> {
  const names = Object.keys(OLDER_VARIABLES).filter((name) => (env[name] ?? '') !== '');
  if (names.length === 0) return path;
  const text = await readFile(path, 'utf8').catch((error: unknown) =>
    (error as NodeJS.ErrnoException).code === 'ENOENT' ? '' : undefined,
  );
  if (text === undefined || text.split('\n').some((line) => !/^\s*(?:[#;].*)?$/.test(line))) return path;
  log.warn(
    { path, variables: names },
    `${path} holds no setting; the variables ${names.join(', ')} and the defaults are in force`,
  );
  return undefined;
}
