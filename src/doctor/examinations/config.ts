import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type ConfigError, type ConfigProblem, describeProblem } from '../../config/problem.ts';
import type { Examination } from '../doctor.ts';
import type { Finding } from '../finding.ts';

const READABLE_BY_OTHERS = 0o004;

/** What became of the config file: `missing` means that the defaults are used in its place. */
export type ConfigOutcome<Loaded> =
  | { readonly state: 'loaded' | 'missing'; readonly loaded: Loaded }
  | { readonly state: 'unusable'; readonly error: ConfigError };

/** As far as every program's config is alike. */
export interface ExaminedConfig {
  readonly config: { readonly mqtt: { readonly password: string; readonly passwordFile: string } };
  readonly warnings: readonly ConfigProblem[];
}

type Told<Fact extends string> = (facts: Readonly<Record<'file' | Fact, string>>) => Finding;

/** The findings of the program's own catalogue. */
export interface ConfigFindings {
  readonly ok: Told<never>;
  readonly missing: Told<'folder'>;
  readonly unreadable: Told<'problem'>;
  readonly invalid: Told<'problem'>;
  readonly warning: Told<'problem'>;
  readonly passwordReadable: Told<'mode'>;
  readonly passwordFileReadable: Told<'mode'>;
}

export interface ConfigParts<Loaded extends ExaminedConfig> {
  readonly file: string;
  readonly outcome: ConfigOutcome<Loaded>;
  /** Whether the password, if there is one, stands in the file and not in the environment. */
  readonly passwordInFile: boolean;
  readonly findings: ConfigFindings;
  /** Keys whose warnings are no findings. */
  readonly silentKeys?: readonly string[];
  /** What only this program looks at. */
  readonly further?: (loaded: Loaded) => readonly Finding[];
}

/** The config file as the program reads it, every problem of it, and who else may read the secrets in it. */
export function configExamination<Loaded extends ExaminedConfig>(parts: ConfigParts<Loaded>): Examination {
  const { file, outcome, passwordInFile, findings } = parts;
  return {
    id: 'config',
    title: 'Config',
    run: async () => {
      if (outcome.state === 'unusable') return unusable(file, outcome.error, findings);
      if (outcome.state === 'missing') return [findings.missing({ file, folder: dirname(file) })];
      const { config, warnings } = outcome.loaded;
      const { password, passwordFile } = config.mqtt;
      return [
        findings.ok({ file }),
        ...warnings
          .filter(({ key }) => parts.silentKeys?.includes(key ?? '') !== true)
          .map((problem) => findings.warning({ problem: describeProblem(problem), file })),
        ...(parts.further?.(outcome.loaded) ?? []),
        ...(password !== '' && passwordInFile ? await exposed(file, findings.passwordReadable) : []),
        ...(passwordFile !== '' ? await exposed(passwordFile, findings.passwordFileReadable) : []),
      ];
    },
  };
}

function unusable(file: string, error: ConfigError, findings: ConfigFindings): readonly Finding[] {
  if (error.code === 'CONFIG_UNREADABLE') return [findings.unreadable({ file, problem: error.message })];
  return error.problems.map((problem) => findings.invalid({ problem: describeProblem(problem), file }));
}

async function exposed(file: string, finding: Told<'mode'>): Promise<readonly Finding[]> {
  // The examination of the broker says what is wrong with a file that cannot be looked at.
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || (found.mode & READABLE_BY_OTHERS) === 0) return [];
  return [finding({ file, mode: (found.mode & 0o777).toString(8).padStart(4, '0') })];
}
