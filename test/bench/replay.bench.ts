import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { test } from 'vitest';
import { openJournalSet } from '../../src/device/journal/journal-set.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { createLiveValue } from '../../src/platform/live.ts';
import { ReceiptServer } from '../support/receipt-server.ts';
import { until } from '../support/until.ts';
import { ratio, row } from './report.ts';
import { AGENT, Rig, UID } from './rig.ts';

const BACKLOG = 20_000;
/** What a Mosquitto takes and gives at once by default. */
const WINDOW = 20;

test('how fast a backlog goes out in arrays with receipts, beside single messages of the bare mqtt package', async () => {
  const rig = await Rig.open();
  await fillJournal(join(rig.folder, 'journal'));
  const server = await ReceiptServer.start(rig.broker.port);
  const config = rig.configure(['[sensor]\ntype = simulated\nread_interval_seconds = 3600']);
  const agent = await rig.agent(AGENT, ['run', '--config', config]);
  await until('the first of them', () => server.stored.size > 1_000, 60_000);
  const [began, from] = [performance.now(), server.stored.size];
  await until('all of them', () => server.stored.size >= BACKLOG, 120_000);
  const rate = ((server.stored.size - from) / (performance.now() - began)) * 1000;
  await agent.stop();
  server.crash();
  const single = await singleMessages(rig.broker.port);
  row(
    'backlog in arrays of 50, stored with receipts',
    `${rate.toFixed(0)} /s`,
    `mqtt.js, single: ${single.toFixed(0)} /s`,
    ratio(rate, single),
    '>= 6',
  );
  await rig.close();
});

async function fillJournal(path: string): Promise<void> {
  const clock = createSystemClock();
  const settings = createLiveValue({ path, maxReadings: 500_000, whenFull: 'thin', minFreeBytes: 0 } as const);
  const device = createLiveValue({ deviceUid: UID });
  const journals = await openJournalSet({ settings, device, defaultPath: path, clock, onEvent: () => undefined });
  for (let index = 0; index < BACKLOG; index += 1) {
    const stamp = { state: 'synced', tsMs: 1_700_000_000_000 + index * 30_000 } as const;
    const values = { temperatureCelsius: 20 + (index % 300) / 100, humidityPercent: 45 };
    await journals.append({ ...values, stamp, monotonicMs: index * 30_000, bootId: clock.bootId });
  }
  await journals.close();
}

/** Readings a second of the bare package, one message each, QoS 1. */
async function singleMessages(port: number): Promise<number> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 });
  const began = performance.now();
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < BACKLOG) {
      const seq = (next += 1);
      const reading = { temperature_c: 21.02, humidity_pct: 63.33, ts: 1_700_000_000_000 + seq, epoch: 'k3v9x2', seq };
      await client.publishAsync(`home/home-001/sensors/${UID}/reading`, JSON.stringify(reading), { qos: 1 });
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, sender));
  const rate = (BACKLOG / (performance.now() - began)) * 1000;
  await client.endAsync();
  return rate;
}
