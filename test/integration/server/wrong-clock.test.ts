import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeReading, type Reading } from '../../../src/contract/reading.ts';
import { FAKETIME, fakeClockEnv } from '../../support/faketime.ts';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { ServerProcess, serverMissing } from '../../support/server-process.ts';
import { TestClient } from '../../support/test-client.ts';
import { until } from '../../support/until.ts';

const TWO_DAYS = '-2d';
const RIGHT = '+0';

const started: { dispose(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.dispose();
});

describe.skipIf(!mosquittoInstalled || serverMissing !== undefined || FAKETIME === undefined)(
  'A2: a server whose clock is two days behind',
  () => {
    async function world() {
      const broker = await Mosquitto.start();
      const server = await ServerProcess.prepare({ brokerPort: broker.port });
      const clockFile = join(server.folder, 'clock');
      server.env = fakeClockEnv(clockFile);
      const device = await TestClient.connect(broker.port, ['home/+/sensors/+/receipt', 'techtemp/server/+']);
      started.push(
        { dispose: async () => await broker.dispose() },
        { dispose: async () => await server.dispose() },
        { dispose: async () => await device.end() },
      );
      const set = async (clock: string): Promise<void> => await writeFile(clockFile, `${clock}\n`);
      await set(TWO_DAYS);
      await server.start();
      await until(
        'the server listens',
        () => device.on('techtemp/server/default').length > 0 || device.heard.length > 0,
      );
      let seq = 0;
      const given: Reading[] = [];
      /** As an agent: a live reading of each of two devices, with the right time. */
      const measure = async (): Promise<void> => {
        seq += 1;
        for (const uid of ['kitchen', 'attic']) {
          const reading = {
            temperatureCelsius: 20 + seq / 100,
            humidityPercent: 50,
            tsMs: Date.now(),
            epoch: `e-${uid}`,
            seq,
          };
          if (uid === 'kitchen') given.push(reading);
          await device.publish(`home/house/sensors/${uid}/reading`, encodeReading(reading));
        }
      };
      const receipted = (): number =>
        device.on('/kitchen/receipt').reduce((highest, { payload }) => {
          const { stored } = JSON.parse(payload) as { stored: [number, number][] };
          return Math.max(highest, ...stored.map(([, to]) => to));
        }, 0);
      const ready = async (): Promise<Ready> => (await (await server.get('/ready')).json()) as Ready;
      for (let times = 0; times < 20; times += 1) await measure();
      await until('all are receipted', () => receipted() === 20);
      return { server, set, given, measure, ready };
    }
    interface Ready {
      readonly status: string;
      readonly parts: Readonly<
        Record<string, { readonly ok: boolean; readonly problem?: string; readonly waiting?: number }>
      >;
    }
    const isWhole = async ({ server, given }: Awaited<ReturnType<typeof world>>): Promise<void> => {
      const stored = await server.readings('kitchen');
      expect(stored.map(({ seq, ts }) => [seq, Date.parse(ts)])).toEqual(given.map(({ seq, tsMs }) => [seq, tsMs]));
    };

    it('says so everywhere; once its clock is set while it runs, every reading is stored once', async () => {
      const here = await world();
      const { server, set, given, measure, ready } = here;
      await until('/ready names the clock', async () => (await ready()).parts['clock']?.ok === false);
      const told = await ready();
      expect(told.status).toBe('not-ready');
      expect(told.parts['clock']?.problem).toContain('2 of 2 devices say that it is 2.0 days later');
      expect(told.parts['quarantine']).toMatchObject({ ok: false, waiting: 40 });
      expect(server.log).toContain('the clock of this server may be the wrong one');
      expect(await server.readings('kitchen')).toEqual([]);
      const list = await server.command('quarantine', '--device', 'kitchen');
      expect(list.stdout).toContain('2.0 days ahead');
      const check = await server.command('check');
      expect(check.stdout).toContain('the clock of this server may be the wrong one');

      await set(RIGHT);
      await measure();
      await until('nothing waits', async () => (await ready()).parts['quarantine']?.waiting === 0);
      await until('the newest is stored', async () => (await server.readings('kitchen')).length === given.length);
      await isWhole(here);
      await until('all is well', async () => (await ready()).status === 'ready');
      const [latest] = await server.data<readonly { seq: number; contact: { state: string } }[]>(
        '/api/v1/readings/latest?deviceId=kitchen',
      );
      expect(latest).toMatchObject({ seq: 21, contact: { state: 'current' } });
    }, 120_000);

    it('once it is started again with the right clock, every reading is stored once, without a word of anybody', async () => {
      const here = await world();
      const { server, set, given, ready } = here;
      await server.kill();
      await set(RIGHT);
      await server.start();
      await until('nothing waits', async () => (await ready()).parts['quarantine']?.waiting === 0);
      expect(given).toHaveLength(20);
      await isWhole(here);
    }, 120_000);
  },
);
