import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type ConfigError, describeProblem } from '../../../config/problem.ts';
import type { Examination } from '../../../doctor/doctor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import type { LoadedDeviceConfig } from '../../config.ts';
import { report } from '../findings/catalogue.ts';

const READABLE_BY_OTHERS = 0o004;
/** What the older agent calls itself when it has no name: the same everywhere. */
const PLACEHOLDER_UID = 'aht20-unknown';

/** What became of the config file: `missing` means that the defaults are used in its place. */
export type ConfigOutcome =
  | { readonly state: 'loaded'; readonly loaded: LoadedDeviceConfig }
  | { readonly state: 'missing'; readonly loaded: LoadedDeviceConfig }
  | { readonly state: 'unusable'; readonly error: ConfigError };

export interface ConfigParts {
  readonly file: string;
  readonly outcome: ConfigOutcome;
  /** Whether the password, if there is one, stands in the file and not in the environment. */
  readonly passwordInFile: boolean;
}

/** The config file as the agent reads it, every problem of it, and who else may read the secrets in it. */
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
        ...warnings
          .filter(({ key }) => key !== 'device.device_uid')
          .map((problem) => report('config.warning', { problem: describeProblem(problem), file })),
        ...(config.device.deviceUid === PLACEHOLDER_UID
          ? [report('config.default-uid', { deviceUid: PLACEHOLDER_UID, file })]
          : []),
        ...(password !== '' && passwordInFile ? await exposed(file, 'config.password-readable') : []),
        ...(passwordFile !== '' ? await exposed(passwordFile, 'config.password-file-readable') : []),
      ];
    },
  };
}

function unusable(file: string, error: ConfigError): readonly Finding[] {
  if (error.code === 'CONFIG_UNREADABLE') return [report('config.unreadable', { file, problem: error.message })];
  return error.problems.map((problem) => report('config.invalid', { problem: describeProblem(problem), file }));
}

async function exposed(
  file: string,
  id: 'config.password-readable' | 'config.password-file-readable',
): Promise<readonly Finding[]> {
  // A file that cannot be looked at is the examination of the broker's business.
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || (found.mode & READABLE_BY_OTHERS) === 0) return [];
  return [report(id, { file, mode: (found.mode & 0o777).toString(8).padStart(4, '0') })];
}
