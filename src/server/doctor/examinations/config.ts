import type { Examination } from '../../../doctor/doctor.ts';
import { type ConfigFindings, type ConfigParts, configExamination } from '../../../doctor/examinations/config.ts';
import type { Finding } from '../../../doctor/finding.ts';
import type { ProbeTimeSync } from '../../../platform/time-sync.ts';
import type { LoadedServerConfig } from '../../config.ts';
import { report } from '../findings/catalogue.ts';

const FINDINGS: ConfigFindings = {
  ok: (facts) => report('config.ok', facts),
  missing: (facts) => report('config.missing', facts),
  unreadable: (facts) => report('config.unreadable', facts),
  invalid: (facts) => report('config.invalid', facts),
  warning: (facts) => report('config.warning', facts),
  passwordReadable: (facts) => report('config.password-readable', facts),
  passwordFileReadable: (facts) => report('config.password-readable', facts),
};

/** The config as the server reads it. */
export function serverConfigExamination(
  parts: Pick<ConfigParts<LoadedServerConfig>, 'file' | 'outcome' | 'passwordInFile'>,
): Examination {
  return configExamination({ ...parts, findings: FINDINGS });
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
