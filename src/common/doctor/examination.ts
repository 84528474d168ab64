import type { Finding } from './finding.ts';

/**
 * One thing that the doctor looks at. Small, independent of the others, harmless to a running service, bounded in time.
 * What it needs of the machine is passed to the factory that makes it.
 */
export interface Examination {
  readonly id: string;
  /** Two or three words; the left column of the report. */
  readonly title: string;
  /** Never rejects for a fault that it can name: that is a finding. @throws the signal's reason */
  run(signal: AbortSignal): Promise<readonly Finding[]>;
}
