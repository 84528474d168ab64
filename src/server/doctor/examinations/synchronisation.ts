import type { Finding } from '../../../common/doctor/finding.ts';
import type { ProbeTimeSync } from '../../../common/time-sync.ts';
import { report } from '../finding.ts';

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
