import { type FindingCatalogue, reporterOf } from '../../../doctor/finding.ts';
import { COMMON_FINDINGS } from '../../../doctor/findings/catalogue.ts';
import { BROKER_FINDINGS } from './broker.ts';
import { BUS_FINDINGS, SENSOR_FINDINGS } from './sensor.ts';
import { AGENT_FINDINGS, CONFIG_FINDINGS, STATE_FINDINGS, SYSTEM_FINDINGS } from './system.ts';

/** Every finding of the agent's doctor. FINDINGS.md is this table for people; a test keeps them equal. */
export const FINDINGS = {
  ...COMMON_FINDINGS,
  ...SYSTEM_FINDINGS,
  ...CONFIG_FINDINGS,
  ...BUS_FINDINGS,
  ...SENSOR_FINDINGS,
  ...BROKER_FINDINGS,
  ...STATE_FINDINGS,
  ...AGENT_FINDINGS,
} as const satisfies FindingCatalogue;

/** Reports a finding of the agent's catalogue. */
export const report = reporterOf(FINDINGS);
