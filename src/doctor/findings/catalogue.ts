import { type FindingCatalogue, reporterOf } from '../finding.ts';
import { BROKER_FINDINGS, CONNECTION_FINDINGS } from './broker.ts';
import { RUNTIME_FINDINGS, UNIT_FINDINGS } from './system.ts';

/** What the doctors of all our programs can find; part of the catalogue of each. */
export const COMMON_FINDINGS = {
  ...RUNTIME_FINDINGS,
  ...CONNECTION_FINDINGS,
  ...BROKER_FINDINGS,
  ...UNIT_FINDINGS,
} as const satisfies FindingCatalogue;

/** Reports a finding that every doctor knows. */
export const report = reporterOf(COMMON_FINDINGS);
