import type { FindingCatalogue } from '../../../common/doctor/finding.ts';
import { COMMON_FINDINGS } from '../../../common/doctor/findings/catalogue.ts';
import { BROKER_FINDINGS } from './broker-findings.ts';
import { HTTP_FINDINGS } from './http-findings.ts';
import { RECORD_FINDINGS } from './record-findings.ts';
import { STORE_FINDINGS } from './store-findings.ts';
import { SYSTEM_FINDINGS } from './system-findings.ts';

/** Every finding of the server's doctor. FINDINGS.md is this table for people; a test keeps them equal. */
export const FINDINGS = {
  ...COMMON_FINDINGS,
  ...SYSTEM_FINDINGS,
  ...STORE_FINDINGS,
  ...RECORD_FINDINGS,
  ...BROKER_FINDINGS,
  ...HTTP_FINDINGS,
} as const satisfies FindingCatalogue;
