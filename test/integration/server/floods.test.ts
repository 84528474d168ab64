import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { ServerProcess, serverMissing } from '../../support/server-process.ts';
import { TestClient } from '../../support/test-client.ts';
import { until } from '../../support/until.ts';

/** MemoryMax of systemd/techtemp-server.service. */
const UNIT_LIMIT_MB = 768;
const QUIET = 'home/home-001/sensors/quiet/reading';
const missing = serverMissing ?? (mosquittoInstalled ? undefined : 'Mosquitto is not installed');

// C7
describe.skipIf(missing !== undefined)(
  `one client that floods its own topics${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let broker: Mosquitto;
    let server: ServerProcess;
    let flood: TestClient;
    let quiet: TestClient;
    let answers: number[];
    let asking: Promise<void>;
    let isOver: boolean;

    beforeEach(async () => {
      broker = await Mosquitto.start({ config: ['max_queued_messages 0', 'max_inflight_messages 1000'] });
      server = await ServerProcess.prepare({ brokerPort: broker.port, config: { ingest: ['max_payload_kb = 2048'] } });
      await server.start();
      await until('the server listens', async () => (await server.get('/ready')).ok);
      flood = await TestClient.connect(broker.port);
      quiet = await TestClient.connect(broker.port, ['home/+/sensors/quiet/receipt']);
      answers = [];
      isOver = false;
      asking = ask();
    });

    afterEach(async () => {
      isOver = true;
      await asking;
      await flood.end();
      await quiet.end();
      await server.dispose();
      await broker.dispose();
    });

    /** /health, one request after the other, as a watchdog asks. */
    async function ask(): Promise<void> {
      while (!isOver) answers.push((await server.get('/health').catch(() => ({ status: 0 }))).status);
    }

    let lastSeq = 0;
    /** A reading of the quiet device; resolves when its receipt is here. */
    async function speak(): Promise<void> {
      lastSeq += 1;
      const seq = lastSeq;
      await quiet.publish(QUIET, reading('quiet1', seq));
      await until(
        'the quiet device has its receipt',
        () =>
          quiet.heard.some(({ payload }) =>
            (JSON.parse(payload) as { stored: number[][] }).stored.some(
              ([from = 0, to = 0]) => from <= seq && seq <= to,
            ),
          ),
        60_000,
      );
    }

    function reading(epoch: string, seq: number): string {
      return JSON.stringify({ temperature_c: 21, humidity_pct: 50, ts: Date.now() - seq, epoch, seq });
    }

    async function mostMemoryMb(): Promise<number> {
      const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
      return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
    }

    it('delays the others little, cannot make the record grow, and leaves memory and /health as they are', async () => {
      await speak();
      const floods: Promise<void>[] = [];
      const send = (leaf: string, payload: string): void =>
        void floods.push(flood.publish(`home/home-001/sensors/flood/${leaf}`, payload));
      for (let message = 0; message < 20; message += 1) {
        const items = Array.from({ length: 9_000 }, (_, index) => reading(`e${message}-${index}`, 1));
        send('backlog', `[${items.join(',')}]`);
      }
      await speak();
      send(
        'backlog',
        `[${Array.from({ length: 24_990 }, (_, index) => JSON.stringify({ temperature_c: 'x', epoch: 'k3v9x2', seq: index + 1 })).join(',')}]`,
      );
      await speak();
      for (let room = 0; room < 3_000; room += 1) {
        send('status', JSON.stringify({ state: 'online', room: `Room ${room}`, interval_s: 60 }));
      }
      await speak();
      await Promise.all(floods);
      await speak();
      await until('all is settled', async () => {
        const { parts } = (await (await server.get('/ready')).json()) as { parts: { ingest: { waiting: number } } };
        return parts.ingest.waiting === 0;
      });
      expect(answers.filter((status) => status !== 200)).toEqual([]);
      expect(answers.length).toBeGreaterThan(10);
      const rooms = await server.data<unknown[]>('/api/v1/rooms');
      expect(rooms.length).toBeLessThanOrEqual(25);
      // The limit of new epochs, and what a minute that passed meanwhile allows besides.
      expect(await server.count('flood')).toBeLessThanOrEqual(200);
      const rejected = await server.data<unknown[]>('/api/v1/rejected?limit=1000');
      expect(rejected.length).toBeLessThanOrEqual(1_000);
      expect(await mostMemoryMb()).toBeLessThan(UNIT_LIMIT_MB);
      console.log(
        `flood: ${Math.round(await mostMemoryMb())} MB at most; ${answers.length} answers of /health meanwhile`,
      );
    });
  },
);
