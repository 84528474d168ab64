import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';
import { processFigures } from './process-figures.ts';
import { ratio, row } from './report.ts';
import { Rig } from './rig.ts';

const AGENT = resolve(import.meta.dirname, '../support/children/compressed-agent.ts');
/** A day at one reading every 30 seconds. */
const A_DAY = 2_880;
/** After the first few hundred, Node.js has loaded and compiled what it will. */
const WARM = 500;

test('memory before and after a day without a broker', async () => {
  const rig = await Rig.open({ settings: { conversionMs: 1 } });
  const config = rig.configure(['[sensor]\nread_interval_seconds = 0.1'], await freePort());
  const agent = await rig.agent(AGENT, [config], { TECHTEMP_TEST_SPEED: '12' });
  const taken = async (): Promise<number> => (await rig.emulator.state()).nextSample;
  await until('warm', async () => (await taken()) >= WARM, 120_000);
  await sleep(2_000);
  const before = processFigures(agent.pid);
  await until('a day', async () => (await taken()) >= WARM + A_DAY, 600_000);
  const after = processFigures(agent.pid);
  const mib = (value: number): string => `${value.toFixed(1)} MiB`;
  row(
    'resident memory after 2,880 readings offline',
    mib(after.residentMiB),
    `before ${mib(before.residentMiB)}`,
    ratio(after.residentMiB, before.residentMiB),
    '1.05',
  );
  await agent.stop();
  await rig.close();
});
