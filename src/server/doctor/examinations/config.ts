import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type ConfigError, describeProblem } from '../../../config/problem.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import type { ProbeTimeSync } from '../../../platform/time-sync.ts';
import type { LoadedServerConfig } from '../../config.ts';
import { report } from '../findings/catalogue.ts';

const READABLE_BY_OTHERS = 0o004;

/** What became of the config file: `missing` means that the defaults are used in its place. */
export type ConfigOutcome =
  | { readonly state: 'loaded' | 'missing'; readonly loaded: LoadedServerConfig }
  | { readonly state: 'unusable'; readonly error: ConfigError };

export interface ConfigParts {
  readonly file: string;
  readonly outcome: ConfigOutcome;
  /** Whether the password, if there is one, stands in the file and not in the environment. */
  readonly passwordInFile: boolean;
}

/** The config file as the server reads it, every problem of it, and who else may read the secrets in it. */
export function configExamination({ file, outcome, passwordInFile }: ConfigParts): Examination {
  return {
    id: 'config',
    title: 'Config',
    run: async () => {
      if (outcome.state === 'unusable') return unusable(file, outcome.error);
      if (outcome.state === 'missing') return [report('config.missing', { file, folder: dirname(file) })];
      const { config, warnings } = outcome.loaded;
      const { password, passwordFile } = config.mqtt;
      return [
        report('config.ok', { file }),
        ...warnings.map((problem) => report('config.warning', { problem: describeProblem(problem), file })),
        ...(password !== '' && passwordInFile ? await exposed(file) : []),
        ...(passwordFile === '' ? [] : await exposed(passwordFile)),
      ];
    },
  };
}

function unusable(file: string, error: ConfigError): readonly Finding[] {
  if (error.code === 'CONFIG_UNREADABLE') return [report('config.unreadable', { file, problem: error.message })];
  return error.problems.map((problem) => report('config.invalid', { problem: describeProblem(problem), file }));
}

async function exposed(file: string): Promise<readonly Finding[]> {
  // A file that cannot be looked at is the examination of the broker's business.
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || (found.mode & READABLE_BY_OTHERS) === 0) return [];
  return [report('config.password-readable', { file, mode: (found.mode & 0o777).toString(8).padStart(4, '0') })];
}

/** What it means to the server whether its clock is synchronised. */
export async function synchronisationFinding(time: string, probe: ProbeTimeSync): Promise<Finding> {
  switch (await probe()) {
    case 'synced':
      return report('clock.ok', { time });
    case 'unsynced':
      return report('clock.unsynchronised', { time });
    case 'no-answer':
      return report('clock.no-answer', { time });
    case 'unknown':
      return report('clock.unknown', { time });
  }
}
