import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournalSet } from '../../../src/device/journal/journal-set.ts';
import { createSystemClock } from '../../../src/platform/clock.ts';
import { emulatorMissing, startEmulator } from '../../support/emulator.ts';
import { startUnderEmulator } from '../../support/emulator-child.ts';
import { journalSection } from '../../support/journal-rig.ts';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { testLive } from '../../support/recording.ts';
import { ServerProcess, serverMissing } from '../../support/server-process.ts';
import { until } from '../../support/until.ts';

const AGENT = resolve(import.meta.dirname, '../../../src/device/main.ts');
const SHIPPED_BROKER_SETTINGS = resolve(import.meta.dirname, '../../../config/mosquitto/techtemp.conf');
const UID = 'aht20-f49c53';
const MANY = 20_000;
const LIMIT_MS = 300_000;

const missing = serverMissing ?? (mosquittoInstalled ? undefined : 'Mosquitto is not installed');

describe.skipIf(missing !== undefined)(`bursts${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let folder = '';
  let broker: Mosquitto;
  let server: ServerProcess;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'techtemp-bursts-'));
  });

  afterEach(async () => {
    await server.dispose();
    await broker.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it.skipIf(emulatorMissing !== undefined)(
    `S13: a backlog of ${MANY} from one agent goes through a default Mosquitto without a loss`,
    async () => {
      broker = await Mosquitto.start();
      server = await ServerProcess.prepare({ brokerPort: broker.port });
      const epoch = await fillJournal(join(folder, 'journal'), MANY);
      await writeFile(
        join(folder, 'device.conf'),
        `[device]\ndevice_uid = ${UID}\n[sensor]\nread_interval_seconds = 3600\n[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = ${broker.port}\n`,
      );
      await server.start();
      const emulator = await startEmulator({ source: { kind: 'constant', temperature: 21, humidity: 50 } });
      const agent = await startUnderEmulator(emulator, AGENT, {
        args: ['run', '--config', join(folder, 'device.conf')],
        env: { STATE_DIRECTORY: folder },
      });
      agent.stdout.resume();
      agent.stderr.resume();
      try {
        const numbers = async (): Promise<readonly number[]> =>
          (await server.readings(UID)).filter((reading) => reading.epoch === epoch).map(({ seq }) => seq ?? 0);
        await until('the backlog is stored', async () => (await server.count(UID)) >= MANY, LIMIT_MS);
        const stored = [...(await numbers())].sort((a, b) => a - b);
        expect(stored.slice(0, MANY)).toEqual(Array.from({ length: MANY }, (_, index) => index + 1));
        expect((await server.command('verify')).code).toBe(0);
      } finally {
        const ended = once(agent, 'exit');
        agent.kill('SIGTERM');
        await ended;
        await emulator.stop();
      }
    },
    LIMIT_MS,
  );

  it(
    `S13: ${MANY} single messages of older agents in one burst are all stored on the broker settings that we ship`,
    async () => {
      broker = await Mosquitto.start({ config: await shippedSettings(folder) });
      server = await ServerProcess.prepare({ brokerPort: broker.port });
      await server.start();
      await until('the server listens to the broker', async () => (await server.get('/ready')).ok);
      const devices = 20;
      const client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { reconnectPeriod: 0 });
      const base = Date.now() - MANY * 1_000;
      await Promise.all(
        Array.from({ length: MANY }, (_, index) => {
          const payload = { temperature_c: 20 + (index % 100) / 100, humidity_pct: 50, ts: base + index * 1_000 };
          const topic = `home/Heverlee/sensors/aht20-00000${String(index % devices).padStart(2, '0')}/reading`;
          return client.publishAsync(topic, JSON.stringify(payload), { qos: 1 });
        }),
      );
      await client.endAsync();
      const stored = async (): Promise<number> => {
        const devicesNow = await server.data<readonly { uid: string }[]>('/api/v1/devices');
        const counts = await Promise.all(devicesNow.map(async ({ uid }) => await server.count(uid)));
        return counts.reduce((sum, count) => sum + count, 0);
      };
      await until('all are stored', async () => (await stored()) >= MANY, 120_000);
      expect(await stored()).toBe(MANY);
    },
    LIMIT_MS,
  );

  it('stores what mosquitto_pub sends in the name of an older agent, and answers as the older server did', async () => {
    broker = await Mosquitto.start();
    server = await ServerProcess.prepare({ brokerPort: broker.port });
    await server.start();
    const ready = async (): Promise<boolean> => (await server.get('/ready')).ok;
    await until('the server listens to the broker', ready);
    const publish = promisify(execFile);
    // The example of the older system's documentation.
    const payload = '{"temperature_c":21.02,"humidity_pct":63.33,"ts":1757537685793}';
    const topic = 'home/Heverlee/sensors/aht20-f49c53/reading';
    const send = ['-h', '127.0.0.1', '-p', String(broker.port), '-q', '1', '-t', topic, '-m', payload];
    await publish('mosquitto_pub', send);
    await publish('mosquitto_pub', send);
    const latest = async (): Promise<readonly object[]> => await server.data('/api/v1/readings/latest');
    await until('the reading is there', async () => (await latest()).length > 0);
    expect(await latest()).toMatchObject([
      { device_id: UID, ts: '2025-09-10T20:54:45.793Z', temperature: 21.02, humidity: 63.33 },
    ]);
    expect(await server.data(`/api/v1/devices/${UID}/readings`)).toMatchObject([
      { ts: '2025-09-10T20:54:45.793Z', temperature: 21.02, humidity: 63.33 },
    ]);
    expect(await server.data('/api/v1/devices')).toMatchObject([
      { uid: UID, last_seen_at: '2025-09-10T20:54:45.793Z' },
    ]);
  });
});

/** A journal as an agent leaves it behind that measured every ten seconds while nobody took the readings. */
async function fillJournal(path: string, count: number): Promise<string> {
  const clock = createSystemClock();
  const journals = await openJournalSet({
    settings: testLive(journalSection()),
    device: testLive({ deviceUid: UID }),
    defaultPath: path,
    clock,
    onEvent: ({ message }) => console.warn(message),
  });
  const base = clock.nowMs() - (count + 10) * 10_000;
  for (let index = 0; index < count; index += 1) {
    await journals.append({
      temperatureCelsius: 15 + (index % 1_000) / 100,
      humidityPercent: 40 + (index % 2_000) / 100,
      stamp: { state: 'synced', tsMs: base + index * 10_000 },
      bootId: clock.bootId,
      monotonicMs: index * 10_000,
    });
  }
  const epoch = journals.activeEpoch();
  await journals.close();
  return epoch;
}

/** The shipped file, with the folder of the test in place of the system's; listeners are the test's own. */
async function shippedSettings(folder: string): Promise<readonly string[]> {
  const lines = (await readFile(SHIPPED_BROKER_SETTINGS, 'utf8')).split('\n');
  return lines
    .filter((line) => !/^\s*(#|$|listener|allow_anonymous|password_file|acl_file|user)\b/.test(line))
    .map((line) => line.replace(/^(persistence_location)\s.*/, `$1 ${folder}/`));
}
