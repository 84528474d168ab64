import { test } from 'vitest';
import { deliveredFrames } from '../support/emulator-log.ts';
import { ServerProcess } from '../support/server-process.ts';
import { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';
import { ratio, row } from './report.ts';
import { AGENT, Rig, UID } from './rig.ts';

const READINGS = 30;

test('how long a reading takes from the sensor to who watches the API, beside one round trip through the same broker', async () => {
  const rig = await Rig.open({ source: { kind: 'constant', temperature: 21, humidity: 50 } });
  const server = await ServerProcess.prepare({ brokerPort: rig.broker.port });
  await server.start();
  const client = await TestClient.connect(rig.broker.port, ['bench/echo']);
  const agent = await rig.agent(AGENT, [
    'run',
    '--config',
    rig.configure(['[sensor]\nread_interval_seconds = 1\n[clock]\nsource = trust']),
  ]);
  await until('the first reading is stored', async () => (await server.count(UID)) > 0, 60_000);

  const roundTripsMs: number[] = [];
  /** Monotonic ns at which the event with that number came. */
  const seen = new Map<number, number>();
  for await (const seq of watch(server)) {
    seen.set(seq, Number(process.hrtime.bigint()));
    roundTripsMs.push(await roundTripMs(client));
    if (seen.size >= READINGS) break;
  }
  await agent.stop();
  const frames = deliveredFrames(await rig.emulator.log());
  // The n-th frame that was given is reading n.
  const delaysMs = [...seen].map(([seq, ns]) => (ns - frames[seq - 1]!.ns) / 1e6);
  await client.end();
  await server.dispose();
  await rig.close();

  const [delayMs, tripMs] = [median(delaysMs), median(roundTripsMs)];
  row(
    'sensor to API (journal, broker, store, live stream)',
    `${delayMs.toFixed(1)} ms`,
    `MQTT round trip: ${tripMs.toFixed(2)} ms`,
    ratio(delayMs, tripMs),
    '<= 3',
  );
  row(
    'the slowest of them',
    `${Math.max(...delaysMs).toFixed(1)} ms`,
    'one second',
    ratio(Math.max(...delaysMs), 1_000),
    '< 1',
  );
});

/** The numbers of the readings on the live stream, as they come. */
async function* watch(server: ServerProcess): AsyncGenerator<number> {
  const answer = await server.get('/api/v1/events');
  if (answer.body === null) throw new Error('the stream has no body');
  let text = '';
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end);
      text = text.slice(end + 2);
      const data = /^event: reading\n(?:.*\n)*?data: (.*)$/m.exec(event)?.[1];
      if (data !== undefined) yield (JSON.parse(data) as { seq: number }).seq;
    }
  }
}

async function roundTripMs(client: TestClient): Promise<number> {
  const before = client.heard.length;
  const beganMs = performance.now();
  await client.publish('bench/echo', 'x'.repeat(140));
  while (client.heard.length === before) await new Promise((resolve) => setImmediate(resolve));
  return performance.now() - beganMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
