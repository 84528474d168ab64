import type { Examination } from '../../../doctor/doctor.ts';
import { type ConfigFindings, type ConfigParts, configExamination } from '../../../doctor/examinations/config.ts';
import type { LoadedDeviceConfig } from '../../config.ts';
import { report } from '../findings/catalogue.ts';

/** What the older agent calls itself when it has no name: the same everywhere. */
const PLACEHOLDER_UID = 'aht20-unknown';

const FINDINGS: ConfigFindings = {
  ok: (facts) => report('config.ok', facts),
  missing: (facts) => report('config.missing', facts),
  unreadable: (facts) => report('config.unreadable', facts),
  invalid: (facts) => report('config.invalid', facts),
  warning: (facts) => report('config.warning', facts),
  passwordReadable: (facts) => report('config.password-readable', facts),
  passwordFileReadable: (facts) => report('config.password-file-readable', facts),
};

/** The config as the agent reads it; besides, whether its uid is one that every older agent has. */
export function deviceConfigExamination(
  parts: Pick<ConfigParts<LoadedDeviceConfig>, 'file' | 'outcome' | 'passwordInFile'>,
): Examination {
  const { file } = parts;
  return configExamination({
    ...parts,
    findings: FINDINGS,
    silentKeys: ['device.device_uid'],
    further: ({ config }) =>
      config.device.deviceUid === PLACEHOLDER_UID
        ? [report('config.default-uid', { deviceUid: PLACEHOLDER_UID, file })]
        : [],
  });
}
