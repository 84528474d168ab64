import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigOptions } from '../../cli/command-io.ts';
import { type ConfigCommandOptions, type LoadedOrDefaults, orDefaults, printConfig } from '../../cli/program.ts';
import { isId } from '../../contract/topics.ts';
import { stateDirectory } from '../../platform/files.ts';
import { type LoadedDeviceConfig, loadDeviceConfig, renderDeviceConf } from '../config.ts';
import { deriveDeviceUid, readNetworkInterfaces } from '../device-uid.ts';
import { JOURNAL_REGISTER_FILE } from '../journal/epoch-register.ts';
import type { CommandIo, ExitCode } from './command-io.ts';

export type { ConfigOptions } from '../../cli/command-io.ts';

export const DEFAULT_CONFIG_PATH = '/etc/techtemp/device.conf';
/** Where the unit's StateDirectory= is. */
export const SERVICE_STATE_DIRECTORY = '/var/lib/techtemp';

/**
 * The environment as the agent that uses this config has it: a person's terminal has no STATE_DIRECTORY, but the installed
 * config belongs to the installed service, whose state directory is known.
 */
export function serviceEnvironment({ configPath }: ConfigOptions, { env }: CommandIo): NodeJS.ProcessEnv {
  const isInstalled = configPath === DEFAULT_CONFIG_PATH && (env['STATE_DIRECTORY'] ?? '') === '';
  return isInstalled ? { ...env, STATE_DIRECTORY: SERVICE_STATE_DIRECTORY } : env;
}

/** As the agent loads it, but without leaving anything behind. @throws ConfigError */
export async function loadConfigFor(options: ConfigOptions, io: CommandIo): Promise<LoadedDeviceConfig> {
  return await load(options, io, options.configPath);
}

/** The same; a file that does not exist stands for the defaults. @throws ConfigError */
export async function loadConfigOrDefaults(
  options: ConfigOptions,
  io: CommandIo,
): Promise<LoadedOrDefaults<LoadedDeviceConfig>> {
  return await orDefaults(options.configPath, async (path) => load(options, io, path));
}

/** The folder of the journals of the agent that uses this config. */
export function journalFolder({ config }: LoadedDeviceConfig, options: ConfigOptions, io: CommandIo): string {
  const { path } = config.journal;
  return path === '' ? join(stateDirectory(serviceEnvironment(options, io)), 'journal') : path;
}

/** Where the agent notes which epochs there are, outside the journal's folder. */
export function journalRegister(options: ConfigOptions, io: CommandIo): string {
  return join(stateDirectory(serviceEnvironment(options, io)), JOURNAL_REGISTER_FILE);
}

async function load(options: ConfigOptions, io: CommandIo, path: string | undefined): Promise<LoadedDeviceConfig> {
  const env = serviceEnvironment(options, io);
  const { flags } = options;
  return await loadDeviceConfig({ path, env, flags, fallbackUid: () => peekDeviceUid(stateDirectory(env)) });
}

/** The uid that the agent has, or will give itself; not kept, since only the agent writes into its own folder. */
async function peekDeviceUid(folder: string): Promise<string> {
  const remembered = (await readFile(join(folder, 'device-uid'), 'utf8').catch(() => '')).trim();
  if (isId(remembered)) return remembered;
  return deriveDeviceUid(await readNetworkInterfaces()) ?? 'aht20-000000';
}

/** `config`: prints the effective config as a device.conf. */
export async function runConfig(options: ConfigCommandOptions, io: CommandIo): Promise<ExitCode> {
  const effective = (): Promise<LoadedDeviceConfig> => load(options, io, options.configPath);
  return await printConfig({ defaults: renderDeviceConf, effective }, options, io);
}
