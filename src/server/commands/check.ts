import { type CommandIo, EXIT_CONFIG, EXIT_FAILED, EXIT_OK, type ExitCode } from '../../common/command-io.ts';
import { ConfigError } from '../../common/config/config-problem.ts';
import type { ConfigOptions } from '../../common/config-options.ts';
import { type Diagnosis, examine, type Summary, summarise } from '../../common/doctor/doctor.ts';
import { createMachine, type Machine } from '../../common/doctor/machine.ts';
import { printDiagnosis, printSummary } from '../../common/doctor/print.ts';
import type { ConfigOutcome } from '../doctor/examinations/config.ts';
import { planExaminations } from './check-plan.ts';
import { loadConfigOrDefaults } from './command-config.ts';

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
