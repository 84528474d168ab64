import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Emulator, emulatorMissing, startEmulator } from '../../support/emulator.ts';
import { type PipedChild, startUnderEmulator } from '../../support/emulator-child.ts';
import { deliveredFrames } from '../../support/emulator-log.ts';
import { compareGivenAndStored } from '../../support/given-and-stored.ts';
import { Mosquitto, mosquittoInstalled } from '../../support/mosquitto.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { type ApiReading, ServerProcess, serverMissing } from '../../support/server-process.ts';
import { until } from '../../support/until.ts';

const ROOMS_DATA = resolve(import.meta.dirname, '../../fixtures/office-room.csv');
const AGENT = resolve(import.meta.dirname, '../../support/children/compressed-agent.ts');
const UID = 'aht20-f49c53';
/** A second of the agent is 40 ms here. */
const SPEED = 25;
/** The emulated chip converts in 1 ms, for which the agent waits 80. */
const CHIP_SPEED = 80;
const LIMIT_MS = 1_800_000;
const BUFFERED = 5_000;
const KILLS = 100;
const SEED = 7_031_985;
/** Longest time from the start of a server to its kill, and from when it is ready: then it stores the backlog that has waited for it. */
const LONGEST_START_MS = 800;
const LONGEST_WORK_MS = 300;

const missing = emulatorMissing ?? serverMissing ?? (mosquittoInstalled ? undefined : 'Mosquitto is not installed');

describe.skipIf(missing !== undefined)(
  `sensor bytes in, API out${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let folder = '';
    let emulator: Emulator;
    let broker: Mosquitto;
    let server: ServerProcess;
    let agent: PipedChild;
    let agentLog = '';

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'techtemp-outages-'));
      emulator = await startEmulator({ settings: { conversionMs: 1 }, source: { kind: 'csv', path: ROOMS_DATA } });
      // Default settings: 1000 messages wait for an absent subscriber, nothing survives kill -9.
      broker = await Mosquitto.start();
      server = await ServerProcess.prepare({ brokerPort: broker.port });
      const config = [
        `[device]\ndevice_uid = ${UID}\nroom = Office\n[sensor]\nread_interval_seconds = 0.1\n`,
        `[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = ${broker.port}\nreceipt_timeout_seconds = 60\nreconnect_min_seconds = 0.5\nreconnect_max_seconds = 0.9\n`,
      ];
      await writeFile(join(folder, 'device.conf'), config.join(''));
      await server.start();
      agent = await startUnderEmulator(emulator, AGENT, {
        args: [join(folder, 'device.conf')],
        env: {
          STATE_DIRECTORY: folder,
          TECHTEMP_TEST_SPEED: String(SPEED),
          TECHTEMP_TEST_CHIP_SPEED: String(CHIP_SPEED),
          TECHTEMP_TEST_WALL_ANCHOR: String(Date.now()),
        },
      });
      agent.stderr.on('data', (chunk: Buffer) => (agentLog += chunk.toString()));
      agent.stdout.resume();
    });

    afterAll(async () => {
      agent.kill('SIGKILL');
      await server.dispose();
      await broker.dispose();
      await emulator.stop();
      await rm(folder, { recursive: true, force: true });
    });

    const logs = (): string => `agent:\n${agentLog.slice(-4_000)}\nserver:\n${server.log.slice(-4_000)}`;

    /** Readings that the sensor has given so far. */
    async function givenSoFar(): Promise<number> {
      return (await emulator.state()).nextSample;
    }

    /** Whether the server runs, has its store open and listens to the broker. */
    async function isReady(): Promise<boolean> {
      return (await server.get('/ready').catch(() => undefined))?.ok === true;
    }

    /** Waits until as many readings are in the record as `count` says. */
    async function untilStored(what: string, count: () => Promise<number>): Promise<void> {
      const areThere = async (): Promise<boolean> => (await server.count(UID)) >= (await count());
      await until(what, areThere, 400_000).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${logs()}`);
      });
    }

    it(
      `keeps ${BUFFERED} readings through an absent server and a broker that lost its state: each stored once`,
      async () => {
        // The agent has met the server, so it waits for receipts from now on.
        await until('the first readings are stored', async () => (await server.count(UID)) >= 20);
        expect(await server.stop()).toBe(0);
        const before = await givenSoFar();
        await until('the readings are buffered', async () => (await givenSoFar()) >= before + BUFFERED, LIMIT_MS);
        await broker.kill(); // and with it everything that it held
        await broker.start();
        await server.start();

        const atReturn = await givenSoFar();
        expect(atReturn - before).toBeGreaterThanOrEqual(BUFFERED);
        await untilStored('what was given before the return', () => Promise.resolve(atReturn - 1));
        const readings = await server.readings(UID);
        expectEachOnce(readings);
        console.log(`outage: ${atReturn - before} buffered, ${readings.length} stored in all`);
      },
      LIMIT_MS,
    );

    it(
      `loses and doubles nothing when the server is killed ${KILLS} times at any moment`,
      async () => {
        const random = seededRandom(SEED);
        const before = await server.count(UID);
        let killedAtWork = 0;
        for (let kill = 1; kill <= KILLS; kill += 1) {
          // Every second one dies at its work, the others wherever they are, mostly while they start.
          const isAtWork = kill % 2 === 0;
          if (isAtWork) await until('the server listens to the broker', async () => await isReady());
          await sleep(random() * (isAtWork ? LONGEST_WORK_MS : LONGEST_START_MS));
          if (await isReady()) killedAtWork += 1;
          await server.kill();
          server.spawn();
        }
        await until(
          'the server answers',
          async () => (await server.get('/health').catch(() => undefined))?.ok === true,
        );
        // No measurement begins any more; one that has begun is read to its end.
        await emulator.fault('nack', { on: 'write' });
        await untilStored('all that was given', async () => deliveredFrames(await emulator.log()).length);
        const ended = once(agent, 'exit');
        agent.kill('SIGTERM');
        expect(await ended).toEqual([0, null]);

        const readings = await server.readings(UID);
        expectEachOnce(readings);
        const given = deliveredFrames(await emulator.log());
        const stored = readings.map(({ temperature, humidity }) => ({
          temperatureCelsius: temperature,
          humidityPercent: humidity,
        }));
        expect(compareGivenAndStored(given, stored)).toEqual({ lost: [], foreign: [] });
        console.log(
          `kills: ${KILLS} (seed ${SEED}), ${killedAtWork} of them at its work; ${readings.length - before} readings meanwhile, ${readings.length} of ${given.length} given are stored`,
        );
        // Half of them but for those that came while the server said for a moment that it was not ready.
        expect(killedAtWork).toBeGreaterThanOrEqual(KILLS * 0.4);
        expect(readings.length - before).toBeGreaterThan(KILLS);
      },
      LIMIT_MS,
    );

    it('leaves a record that verify is content with', async () => {
      const { code, stdout, stderr } = await server.command('verify');
      console.log(stdout);
      expect(`${stdout}${stderr}`).toContain(UID);
      expect(code, `${stdout}${stderr}`).toBe(0);
    });
  },
);

/** One epoch, its numbers from 1 without a hole, and a time for each that is later than the one before. */
function expectEachOnce(readings: readonly ApiReading[]): void {
  expect(new Set(readings.map(({ epoch }) => epoch)).size).toBe(1);
  expect(readings.map(({ seq }) => seq)).toEqual(readings.map((_, index) => index + 1));
  readings.slice(1).forEach(({ ts }, index) => expect(ts > readings[index]!.ts).toBe(true));
}
