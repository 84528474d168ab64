import { ConfigError, describeProblem } from '../../src/config/problem.ts';
import type { ConfigSchema, KeySpec } from '../../src/config/schema.ts';
import { loadDeviceConfig, renderDeviceConf } from '../../src/device/config.ts';
import { DEVICE_SCHEMA } from '../../src/device/config-schema.ts';
import { loadServerConfig, renderServerConf } from '../../src/server/config.ts';
import { SERVER_SCHEMA } from '../../src/server/config-schema.ts';

/** Where the values of a test come from. */
export interface Given {
  readonly path?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  readonly flags?: Readonly<Record<string, string>>;
}

interface Loaded<Config> {
  readonly config: Config;
  /** One line each. */
  readonly warnings: readonly string[];
  readonly description: string;
}

/** The configuration of one program. */
export interface ProgramConfig {
  readonly name: 'device' | 'server';
  readonly schema: ConfigSchema;
  /** The file that is shipped. */
  readonly shipped: string;
  readonly render: () => string;
  readonly load: (given: Given) => Promise<Loaded<object>>;
}

export const REMEMBERED_UID = 'aht20-1a2b3c';

export async function loadDevice({ path, env = {}, flags = {} }: Given) {
  const fallbackUid = async (): Promise<string> => Promise.resolve(REMEMBERED_UID);
  return inLines(await loadDeviceConfig({ path, env, flags, fallbackUid }));
}

export async function loadServer({ path, env = {}, flags = {} }: Given) {
  return inLines(await loadServerConfig({ path, env, flags }));
}

export const PROGRAMS: readonly ProgramConfig[] = [
  { name: 'device', schema: DEVICE_SCHEMA, shipped: 'config/device.conf', render: renderDeviceConf, load: loadDevice },
  { name: 'server', schema: SERVER_SCHEMA, shipped: 'config/server.conf', render: renderServerConf, load: loadServer },
];

export function programNamed(name: ProgramConfig['name']): ProgramConfig {
  const program = PROGRAMS.find((one) => one.name === name);
  if (program === undefined) throw new Error(`there is no program ${name}`);
  return program;
}

/** Every key of a schema, as `section.key`. */
export function keysOf(schema: ConfigSchema): readonly (readonly [name: string, spec: KeySpec])[] {
  return Object.entries(schema).flatMap(([section, { keys }]) =>
    Object.entries(keys).map(([key, spec]) => [`${section}.${key}`, spec] as const),
  );
}

/** What is wrong with a configuration, a line each; nothing when it can be used. */
export async function problemsOf({ load }: Pick<ProgramConfig, 'load'>, given: Given): Promise<readonly string[]> {
  try {
    await load(given);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(describeProblem);
    throw error;
  }
}

function inLines<C>(loaded: {
  config: C;
  warnings: readonly Parameters<typeof describeProblem>[0][];
  description: string;
}) {
  return { ...loaded, warnings: loaded.warnings.map(describeProblem) };
}
