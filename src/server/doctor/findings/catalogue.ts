import { type FindingCatalogue, reporterOf } from '../../../doctor/finding.ts';
import { COMMON_FINDINGS } from '../../../doctor/findings/catalogue.ts';
import { BACKUP_FINDINGS } from './backups.ts';
import { BROKER_FINDINGS } from './broker.ts';
import { RECORD_FINDINGS, STORE_FINDINGS } from './store.ts';
import { HTTP_FINDINGS, SYSTEM_FINDINGS } from './system.ts';

/** Every finding of the server's doctor. FINDINGS.md is this table for people; a test keeps them equal. */
export const FINDINGS = {
  ...COMMON_FINDINGS,
  ...SYSTEM_FINDINGS,
  ...STORE_FINDINGS,
  ...RECORD_FINDINGS,
  ...BACKUP_FINDINGS,
  ...BROKER_FINDINGS,
  ...HTTP_FINDINGS,
} as const satisfies FindingCatalogue;

/** Reports a finding of the server's catalogue. */
export const report = reporterOf(FINDINGS);
