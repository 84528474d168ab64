import { test } from 'vitest';
import { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';
import { median } from './process-figures.ts';
import { ratio, row } from './report.ts';
import { AGENT, Rig, timed, UID } from './rig.ts';

const ROUNDS = 9;
const CONVERSION_MS = 80;

test('start to the first reading that was published and acknowledged, less the chip’s own time', async () => {
  const rig = await Rig.open({ settings: { conversionMs: CONVERSION_MS } });
  const config = rig.configure(['[sensor]\nread_interval_seconds = 60']);
  const watcher = await TestClient.connect(rig.broker.port, [`home/+/sensors/${UID}/reading`]);
  const starts: number[] = [];
  const nodes: number[] = [];
  const stacks: number[] = [];
  const plain = "await Promise.all(['mqtt', 'convict', 'pino', 'async-mutex', 'i2c-bus'].map((name) => import(name)))";
  for (let round = 0; round < ROUNDS; round += 1) {
    nodes.push(await timed(['-e', '0']));
    stacks.push(await timed(['--input-type=module', '-e', plain]));
    const heard = watcher.heard.length;
    const began = performance.now();
    const agent = await rig.agent(AGENT, ['run', '--config', config]);
    await until('the first reading', () => watcher.heard.length > heard);
    starts.push(performance.now() - began - CONVERSION_MS);
    await agent.stop();
  }
  const bare = median(nodes);
  row(
    'start to first reading, published',
    `${median(starts).toFixed(0)} ms`,
    `node -e 0: ${bare.toFixed(0)} ms`,
    ratio(median(starts), bare),
    '1.70',
  );
  row(
    '  of it: importing the packages asked for, unbundled',
    `${median(stacks).toFixed(0)} ms`,
    `node -e 0: ${bare.toFixed(0)} ms`,
    ratio(median(stacks), bare),
    '',
  );
  await watcher.end();
  await rig.close();
});
