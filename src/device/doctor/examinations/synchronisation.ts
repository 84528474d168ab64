import type { Finding } from '../../../common/doctor/finding.ts';
import type { ProbeTimeSync } from '../../../common/time-sync.ts';
import type { ClockSection } from '../../config/device-config.ts';
import { report } from '../finding.ts';

/** What it means to the agent whether its clock is synchronised. */
export async function synchronisationFinding(
  time: string,
  {
    probe,
    settings,
    configFile,
  }: {
    readonly probe: ProbeTimeSync;
    readonly settings: ClockSection | undefined;
    readonly configFile: string;
  },
): Promise<Finding> {
  if (settings?.source === 'trust') return report('clock.trusted', { time });
  switch (await probe()) {
    case 'synced':
      return report('clock.ok', { time });
    case 'unsynced':
      return report('clock.unsynchronised', { time });
    case 'no-answer':
      return report('clock.no-answer', { time });
    case 'unknown':
      return report('clock.unknown', { time, file: configFile });
  }
}
