import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Reading } from '../../src/contract/reading.ts';
import { type Emulator, emulatorMissing, startEmulator } from '../support/emulator.ts';
import { type PipedChild, startUnderEmulator } from '../support/emulator-child.ts';
import { deliveredFrames, type FrameEntry } from '../support/emulator-log.ts';
import { compareGivenAndStored, type LostRow } from '../support/given-and-stored.ts';
import { Mosquitto, mosquittoInstalled } from '../support/mosquitto.ts';
import { ReceiptServer } from '../support/receipt-server.ts';

const ROOMS_DATA = resolve(import.meta.dirname, '../fixtures/office-room.csv');
const ROWS = 8_143;
const AGENT = resolve(import.meta.dirname, '../support/children/compressed-agent.ts');
const UID = 'aht20-f49c53';
/** A second of the agent is 40 ms here. */
const SPEED = 25;
/** The emulated chip converts in 1 ms, for which the agent waits 80. */
const CHIP_SPEED = 80;
const LIMIT_MS = 1_200_000;
const missing = emulatorMissing ?? (mosquittoInstalled ? undefined : 'Mosquitto is not installed');

describe.skipIf(missing !== undefined)(
  `a week of a real room${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let folder = '';
    let emulator: Emulator;
    let broker: Mosquitto;
    let server: ReceiptServer;
    let agent: PipedChild | undefined;
    let agentLog = '';

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'techtemp-real-data-'));
      emulator = await startEmulator({ settings: { conversionMs: 1 }, source: { kind: 'csv', path: ROOMS_DATA } });
      broker = await Mosquitto.start();
      server = await ReceiptServer.start(broker.port);
      const config = [
        `[device]\ndevice_uid = ${UID}\n[sensor]\nread_interval_seconds = 0.1\n`,
        `[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = ${broker.port}\nreceipt_timeout_seconds = 60\nreconnect_min_seconds = 0.5\nreconnect_max_seconds = 0.9\n`,
      ];
      await writeFile(join(folder, 'device.conf'), config.join(''));
    });

    afterAll(async () => {
      await killAgent();
      server.crash();
      await broker.dispose();
      await emulator.stop();
      await rm(folder, { recursive: true, force: true });
    });

    async function startAgent(): Promise<void> {
      agent = await startUnderEmulator(emulator, AGENT, {
        args: [join(folder, 'device.conf')],
        env: {
          STATE_DIRECTORY: folder,
          TECHTEMP_TEST_SPEED: String(SPEED),
          TECHTEMP_TEST_CHIP_SPEED: String(CHIP_SPEED),
          TECHTEMP_TEST_WALL_ANCHOR: '1700000000000',
        },
      });
      agent.stderr.on('data', (chunk: Buffer) => (agentLog += chunk.toString()));
      agent.stdout.resume();
    }

    async function killAgent(): Promise<void> {
      if (agent === undefined) return;
      const ended = once(agent, 'exit');
      agent.kill('SIGKILL');
      await ended;
      agent = undefined;
    }

    async function untilRow(row: number): Promise<void> {
      const end = Date.now() + LIMIT_MS;
      while ((await emulator.state()).nextSample < row) {
        if (Date.now() > end) throw new Error(`row ${row} never came\n${agentLog.slice(-4_000)}`);
        await sleep(200);
      }
    }

    /** Waits until `isAll` holds for what is stored; what comes after that shows whether it was all. */
    async function untilStored(isAll: () => Promise<boolean>): Promise<void> {
      const end = Date.now() + 300_000;
      while (!(await isAll()) && Date.now() < end) await sleep(100);
    }

    function storedReadings(): Reading[] {
      const readings = [...server.stored.values()].filter((item): item is Reading => !('gap' in item));
      return readings.sort((a, b) => a.seq! - b.seq!);
    }

    it(
      'comes out at the far end row by row, once each, though agent, broker and server are killed on the way',
      async () => {
        /** The row that was next when the agent was killed. */
        const killedAt: number[] = [];
        const killAndRestartAgent = async (): Promise<void> => {
          await killAgent();
          killedAt.push((await emulator.state()).nextSample);
          await startAgent();
        };

        await startAgent();
        await untilRow(1_200);
        await killAndRestartAgent();
        await untilRow(2_100);
        await broker.kill();
        await untilRow(2_900);
        await killAndRestartAgent(); // while there is no broker
        await untilRow(3_400);
        await broker.start(); // which has forgotten everything: the server's session, its announcement
        await untilRow(3_700);
        await server.start();
        await untilRow(4_600);
        server.crash();
        await untilRow(5_300);
        await killAndRestartAgent(); // while there is no server
        await untilRow(5_600);
        await server.start();
        await untilRow(6_400);
        await broker.kill();
        await broker.start();
        await server.start();
        await untilRow(7_300);
        await killAndRestartAgent();
        await untilRow(ROWS);
        // No measurement begins any more; one that has begun is read to its end, twice where the agent asks twice.
        await emulator.fault('nack', { on: 'write' });

        const given = async (): Promise<readonly FrameEntry[]> => deliveredFrames(await emulator.log());
        // The agent may lose the row that it had read and not yet kept when it was killed, and no other.
        const onTheBus = ({ first, last }: LostRow): boolean =>
          killedAt.some((next) => first <= next - 1 && next - 1 <= last);
        const lostElsewhere = async (): Promise<readonly LostRow[]> =>
          compareGivenAndStored(await given(), storedReadings()).lost.filter((row) => !onTheBus(row));
        await untilStored(async () => (await lostElsewhere()).length === 0);
        const ended = once(agent!, 'exit');
        agent!.kill('SIGTERM');
        expect(await ended).toEqual([0, null]);
        agent = undefined;

        const readings = storedReadings();
        const { lost, foreign } = compareGivenAndStored(await given(), readings);
        console.log(
          `real data: ${ROWS} rows, ${killedAt.length} kills of the agent (at rows ${killedAt.join(', ')}), ${readings.length} stored, ${lost.length} lost on the bus ` +
            `(rows ${lost.map(({ first, last }) => `${first} to ${last}`).join(', ') || 'none'}), ${server.duplicates} repeats refused by the store`,
        );
        const faults = agentLog.split('\n').filter((line) => line.includes('no reading'));
        expect(server.conflicts).toEqual([]);
        expect(new Set(readings.map((reading) => reading.epoch)).size).toBe(1);
        expect(readings.map((reading) => reading.seq)).toEqual(readings.map((_, index) => index + 1));
        expect(server.stored.size).toBe(readings.length);
        expect(foreign).toEqual([]);
        expect(await lostElsewhere(), faults.join('\n')).toEqual([]);
        expect(lost.length).toBeLessThanOrEqual(killedAt.length);
        // The sensor goes on giving its last row until it takes no more commands.
        expect(new Set((await given()).map(({ row }) => row)).size).toBe(ROWS);
        expect(readings.length).toBe((await given()).length - lost.length);
        readings.slice(1).forEach((reading, index) => expect(reading.tsMs).toBeGreaterThan(readings[index]!.tsMs));
      },
      LIMIT_MS,
    );

    it('is the data that the test says it is', async () => {
      const lines = (await readFile(ROOMS_DATA, 'utf8')).trim().split('\n');
      expect(lines.length - 1).toBe(ROWS);
    });
  },
);
