import { access, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CommandIo, EXIT_CONFIG, EXIT_FAILED, EXIT_OK, type ExitCode } from '../cli/command-io.ts';
import type { JsonOption, LoadedOrDefaults } from '../cli/program.ts';
import { ConfigError } from '../config/problem.ts';
import { environmentVariable } from '../config/schema.ts';
import { createNotifier } from '../platform/systemd.ts';
import { type Diagnosis, type Examination, examine, printDiagnosis, printSummary, summarise } from './doctor.ts';
import type { ConfigOutcome } from './examinations/config.ts';
import type { Evidence } from './examinations/runtime.ts';
import type { Finding } from './finding.ts';
import { createMachine, type Machine } from './machine.ts';

/** What the check of a program is planned with. */
export interface CheckSetting<Loaded, Io extends CommandIo = CommandIo> {
  readonly options: JsonOption;
  readonly io: Io;
  readonly machine: Machine;
  readonly outcome: ConfigOutcome<Loaded>;
  /** Where TechTemp is installed. */
  readonly folder: string;
  readonly systemdRuns: () => Promise<boolean>;
  /** Whether this process could tell systemd how it is. */
  readonly canNotify: () => Promise<boolean>;
  /** Whether the password, if there is one, stands in the file and not in the environment. */
  readonly passwordInFile: boolean;
}

export interface CheckPlan {
  /** In the order of the report. */
  readonly examinations: readonly Examination[];
  /** To be called when all is done. */
  readonly close: () => Promise<void>;
}

export interface CheckedProgram<Loaded, Io extends CommandIo> {
  readonly name: string;
  /** @throws ConfigError */
  readonly load: (options: JsonOption, io: Io) => Promise<LoadedOrDefaults<Loaded>>;
  readonly plan: (setting: CheckSetting<Loaded, Io>) => CheckPlan;
}

/**
 * Examines all that a program needs and says what is wrong, why, and what to do. Changes nothing and disturbs no running program.
 * Findings are printed as they come; with `json` all at once.
 *
 * Exit code: 0 when nothing failed (warnings do not count), 1 when something did, 78 when the config cannot be used, since
 * then the program does not start whatever else is well.
 * @throws the signal's reason
 */
export async function checkProgram<Loaded, Io extends CommandIo>(
  program: CheckedProgram<Loaded, Io>,
  options: JsonOption,
  io: Io,
  machine: Machine = createMachine(io.env),
): Promise<ExitCode> {
  const outcome = await readConfig(program, options, io);
  const folder = await installationFolder();
  const { examinations, close } = program.plan({
    options,
    io,
    machine,
    outcome,
    folder,
    ...surroundings(options, io, machine),
  });
  if (!options.json) io.stdout.write(`${program.name} check, config ${options.configPath}\n\n`);
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
  const failed = summary.fail > 0 ? EXIT_FAILED : EXIT_OK;
  const exitCode = outcome.state === 'loaded' ? failed : EXIT_CONFIG;
  if (options.json) {
    const answer = { config: options.configPath, findings: asRecords(diagnoses), summary, exit_code: exitCode };
    io.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  } else io.stdout.write(`\n${printSummary(summary)}\n`);
  return exitCode;
}

async function readConfig<Loaded, Io extends CommandIo>(
  program: CheckedProgram<Loaded, Io>,
  options: JsonOption,
  io: Io,
): Promise<ConfigOutcome<Loaded>> {
  try {
    const { loaded, isMissing } = await program.load(options, io);
    return { state: isMissing ? 'missing' : 'loaded', loaded };
  } catch (error) {
    if (error instanceof ConfigError) return { state: 'unusable', error };
    throw error;
  }
}

function surroundings(
  { flags }: JsonOption,
  { clock, env }: CommandIo,
  machine: Machine,
): Pick<CheckSetting<unknown>, 'systemdRuns' | 'canNotify' | 'passwordInFile'> {
  const inEnvironment = (env[environmentVariable('mqtt', 'password')] ?? '') !== '';
  return {
    systemdRuns: async () => exists(join(machine.root, 'run/systemd/system')),
    canNotify: async () => {
      // A name for its socket makes the notifier load the package; nothing is ever said through it.
      const notifier = await createNotifier({ env: { NOTIFY_SOCKET: '/techtemp-check' }, pid: process.pid, clock });
      return notifier.state === 'connected';
    },
    passwordInFile: !inEnvironment && flags['mqtt.password'] === undefined,
  };
}

/** `{"examination":"i2c","id":"bus.off","verdict":"fail","found":…,"cause":…,"remedy":[…]}` */
function asRecords(diagnoses: readonly Diagnosis[]): readonly object[] {
  return diagnoses.flatMap(({ examination, findings }) =>
    findings.map((finding) => ({ examination: examination.id, ...finding })),
  );
}

/** What cannot be examined while no config can be used; said, so that silence is not mistaken for health. */
export function withoutConfig(titles: Readonly<Record<string, string>>, finding: Finding): readonly Examination[] {
  return Object.entries(titles).map(([id, title]) => ({ id, title, run: () => Promise.resolve([finding]) }));
}

/** A time that something was done at, which may be still to come. */
export function evidence(what: string, tsMs: number): Evidence {
  return { tsMs, what: `${what} on ${new Date(tsMs).toISOString()}` };
}

/** When the config file was changed; nothing where there is none. */
export async function configFileEvidence(configFile: string): Promise<readonly Evidence[]> {
  const file = await stat(configFile).catch(() => undefined);
  return file === undefined ? [] : [evidence(`${configFile} was changed`, file.mtimeMs)];
}

/** Does the work when its result is asked for first, and only then: a journal of half a million readings is looked through once. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
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

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
