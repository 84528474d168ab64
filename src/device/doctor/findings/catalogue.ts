import type { FindingCatalogue } from '../../../common/doctor/finding.ts';
import { COMMON_FINDINGS } from '../../../common/doctor/findings/catalogue.ts';
import { AGENT_FINDINGS } from './agent-findings.ts';
import { BROKER_FINDINGS } from './broker-findings.ts';
import { BUS_FINDINGS } from './bus-findings.ts';
import { CONFIG_FINDINGS } from './config-findings.ts';
import { SENSOR_FINDINGS } from './sensor-findings.ts';
import { STATE_FINDINGS } from './state-findings.ts';
import { SYSTEM_FINDINGS } from './system-findings.ts';

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
