import type { Verdict } from '../verdict.ts';
import { AGENT_FINDINGS } from './agent-findings.ts';
import { BROKER_FINDINGS } from './broker-findings.ts';
import { BUS_FINDINGS } from './bus-findings.ts';
import { CONFIG_FINDINGS } from './config-findings.ts';
import { CONNECTION_FINDINGS } from './connection-findings.ts';
import { SENSOR_FINDINGS } from './sensor-findings.ts';
import { STATE_FINDINGS } from './state-findings.ts';
import { SYSTEM_FINDINGS } from './system-findings.ts';

/**
 * Every finding there is, with its verdict and its words. `{name}` is a fact that the examination fills in; steps of a
 * remedy that start with `$ ` are command lines. FINDINGS.md is this table for people; a test keeps them equal.
 */
export type FindingCatalogue = Readonly<
  Record<
    string,
    {
      readonly verdict: Verdict;
      readonly found: string;
      readonly cause?: string;
      readonly remedy?: readonly string[];
    }
  >
>;

export const FINDINGS = {
  ...SYSTEM_FINDINGS,
  ...CONFIG_FINDINGS,
  ...BUS_FINDINGS,
  ...SENSOR_FINDINGS,
  ...CONNECTION_FINDINGS,
  ...BROKER_FINDINGS,
  ...STATE_FINDINGS,
  ...AGENT_FINDINGS,
} as const satisfies FindingCatalogue;

export type FindingId = keyof typeof FINDINGS;
