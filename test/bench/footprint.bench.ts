import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { until } from '../support/until.ts';
import { processFigures } from './process-figures.ts';
import { ratio, row } from './report.ts';
import { AGENT, bareNode, Rig } from './rig.ts';

const IDLE_MS = 60_000;
/** A Python agent on paho-mqtt wakes up 62 times a minute (measured once, on another machine; a constant of its design). */
const PAHO_WAKE_UPS = 62;
const READINGS = 300;

test('memory and wake-ups of an idle agent; CPU time of a busy one', async () => {
  const rig = await Rig.open();
  const config = rig.configure(['[sensor]\nread_interval_seconds = 60']);
  const agent = await rig.agent(AGENT, ['run', '--config', config]);
  await until('connected', () => agent.log().includes('connected to the MQTT broker'));
  const bare = bareNode('setInterval(() => {}, 1000)');
  const client = bareNode(
    `const { connect } = await import('mqtt'); connect('mqtt://127.0.0.1:${rig.broker.port}'); setInterval(() => {}, 60000)`,
  );
  await sleep(15_000); // both come to rest
  const before = processFigures(agent.pid);
  await sleep(IDLE_MS);
  const idle = processFigures(agent.pid);
  const node = processFigures(bare.pid);
  const mqtt = processFigures(client.pid);
  const mib = (value: number): string => `${value.toFixed(1)} MiB`;
  row(
    'resident memory, idle',
    mib(idle.residentMiB),
    `bare node ${mib(node.residentMiB)}`,
    ratio(idle.residentMiB, node.residentMiB),
    '1.35',
  );
  row(
    '  the mqtt package alone, connected',
    mib(mqtt.residentMiB),
    `bare node ${mib(node.residentMiB)}`,
    ratio(mqtt.residentMiB, node.residentMiB),
    '',
  );
  row(
    'private dirty memory, idle',
    mib(idle.privateDirtyMiB),
    `bare node ${mib(node.privateDirtyMiB)}`,
    ratio(idle.privateDirtyMiB, node.privateDirtyMiB),
    '1.60',
  );
  row(
    '  the mqtt package alone, connected',
    mib(mqtt.privateDirtyMiB),
    `bare node ${mib(node.privateDirtyMiB)}`,
    ratio(mqtt.privateDirtyMiB, node.privateDirtyMiB),
    '',
  );
  const wakeUps = idle.wakeUps - before.wakeUps;
  row(
    'wake-ups a minute, one reading a minute',
    String(wakeUps),
    `paho ${PAHO_WAKE_UPS}`,
    ratio(wakeUps, PAHO_WAKE_UPS),
    '0.25',
  );
  await agent.stop();
  await client.stop();
  await bare.stop();

  rig.configure(['[sensor]\nread_interval_seconds = 0.1']);
  const busy = await rig.agent(AGENT, ['run', '--config', config]);
  const taken = async (): Promise<number> => (await rig.emulator.state()).conversions;
  await sleep(3_000);
  const [from, cpuFrom] = [await taken(), processFigures(busy.pid).cpuMs];
  await until('busy enough', async () => (await taken()) >= from + READINGS, 300_000);
  const cpu = ((processFigures(busy.pid).cpuMs - cpuFrom) / ((await taken()) - from)) * 1000;
  row('CPU time per 1,000 readings, published', `${(cpu / 1000).toFixed(2)} s`, 'at 10 readings a second', '-', '');
  await busy.stop();
  await rig.close();
});
