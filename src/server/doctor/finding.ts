import { reporterOf } from '../../common/doctor/finding.ts';
import { FINDINGS } from './findings/catalogue.ts';

/** Reports a finding of the server's catalogue. */
export const report = reporterOf(FINDINGS);
