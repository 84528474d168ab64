import { once } from 'node:events';
import { mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Reading } from '../../src/contract/reading.ts';
import type { DeviceStatus } from '../../src/contract/status.ts';
import { type Emulator, emulatorMissing, startEmulator } from '../support/emulator.ts';
import { type PipedChild, startUnderEmulator } from '../support/emulator-child.ts';
import type { ConversionEntry } from '../support/emulator-log.ts';
import { Mosquitto, mosquittoInstalled } from '../support/mosquitto.ts';
import { ReceiptServer } from '../support/receipt-server.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { TestClient } from '../support/test-client.ts';
import { until } from '../support/until.ts';

const AGENT = resolve(import.meta.dirname, '../../src/device/main.ts');
const UID = 'aht20-f49c53';
const EDITS = 1_000;
const INTERVAL_MS = 100;
const SEED = 20_150_204;

const missing = emulatorMissing ?? (mosquittoInstalled ? undefined : 'Mosquitto is not installed');

describe.skipIf(missing !== undefined)(
  `a thousand edits${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let folder = '';
    let path = '';
    let emulator: Emulator;
    let broker: Mosquitto;
    let server: ReceiptServer;
    let watcher: TestClient;
    let agent: PipedChild;
    let agentLog = '';

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'techtemp-hot-'));
      path = join(folder, 'device.conf');
      emulator = await startEmulator({
        source: { kind: 'sine', temperature: 21, humidity: 45, temperatureSwing: 3, humiditySwing: 9, period: 500 },
      });
      broker = await Mosquitto.start();
      server = await ReceiptServer.start(broker.port);
      watcher = await TestClient.connect(broker.port, [`home/+/sensors/${UID}/status`]);
      await writeFile(path, config(0));
      agent = await startUnderEmulator(emulator, AGENT, {
        args: ['run', '--config', path],
        env: { STATE_DIRECTORY: folder },
      });
      agent.stderr.on('data', (chunk: Buffer) => (agentLog += chunk.toString()));
    });

    afterAll(async () => {
      agent.kill('SIGKILL');
      server.crash();
      await watcher.end();
      await broker.stop();
      await emulator.stop();
      await rm(folder, { recursive: true, force: true });
    });

    const onlineStatus = (): DeviceStatus | undefined =>
      watcher
        .on('/status')
        .map(({ payload }) => JSON.parse(payload) as DeviceStatus)
        .findLast(({ state }) => state === 'online');

    /** Only keys change that touch neither the schedule nor the connection. */
    function config(edit: number): string {
      return [
        `[device]\ndevice_uid = ${UID}\nlabel = edit ${edit}`,
        `[sensor]\nread_interval_seconds = ${INTERVAL_MS / 1000}\nhumidity_offset = ${(edit % 7) / 10}`,
        `[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = ${broker.port}\nbatch_size = ${10 + (edit % 40)}`,
        `[logging]\nlog_level = ${edit % 2 === 0 ? 'info' : 'debug'}\n`,
      ].join('\n');
    }

    type Edit = (edit: number) => Promise<void>;
    const edits: Readonly<Record<string, Edit>> = {
      valid: async (edit) => await writeFile(path, config(edit)),
      invalid: async (edit) => await writeFile(path, config(edit).replace(/_seconds = .*/, '_seconds = soon')),
      'half-written': async (edit) => {
        const text = config(edit);
        await writeFile(path, text.slice(0, text.length / 2));
        await sleep(5);
        await writeFile(path, text);
      },
      'atomic replace': async (edit) => {
        await writeFile(`${path}.new`, config(edit));
        await rename(`${path}.new`, path);
      },
      'delete and restore': async (edit) => {
        await unlink(path).catch(() => undefined);
        await sleep(5);
        await writeFile(path, config(edit));
      },
      'SIGHUP storm': async (edit) => {
        await writeFile(path, config(edit));
        for (let signal = 0; signal < 5; signal += 1) agent.kill('SIGHUP');
      },
    };

    it('drop, move and double no reading, and end with the last good file in force', async () => {
      await until('the first readings are stored', () => server.stored.size >= 5);
      const begin = await inForce(EDITS + 1);
      const random = seededRandom(SEED);
      const names = Object.keys(edits);
      for (let edit = 1; edit <= EDITS; edit += 1) {
        const name = names[Math.floor(random() * names.length)]!;
        const before = outcomes();
        await edits[name]!(edit);
        // Most edits come faster than any file lies still; after some the agent gets the time to read what is there.
        if (edit % 10 === 0) await until(`edit ${edit} (${name}) has an outcome`, () => outcomes() > before);
        else await sleep(random() * 20);
      }
      const atEnd = server.stored.size;
      await until('sampling goes on', () => server.stored.size > atEnd + 100);
      const end = await inForce(EDITS + 2);
      const ended = once(agent, 'exit');
      agent.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);

      const log = await emulator.log();
      const conversions = log.filter((entry): entry is ConversionEntry => entry.event === 'conversion');
      const readings = [...server.stored.values()].filter((item): item is Reading => !('gap' in item));
      const seqs = readings.map((reading) => reading.seq!).sort((a, b) => a - b);
      const startsMs = conversions.map((conversion) => conversion.startNs / 1e6);
      // From one status to another: what was due, what was taken, what the agent says it missed (this machine may be busy).
      const due = Math.round((end.ts! - begin.ts!) / INTERVAL_MS);
      const taken = readings.filter(({ tsMs }) => tsMs > begin.ts! && tsMs <= end.ts!).length;
      const missed = end.sensor!.missed - begin.sensor!.missed;
      const movedMs = moved(startsMs.slice(5, 105), startsMs.slice(-100));
      console.log(
        `${EDITS} edits (seed ${SEED}): ${due} times due, ${taken} taken, ${missed} missed, ${countOf(/in force: a new/g)} applied, schedule moved by ${movedMs.toFixed(1)} ms`,
      );

      // Dropped: each conversion became a reading (the last one may have been cut off by SIGTERM) …
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
      expect(conversions.length - readings.length).toBeLessThanOrEqual(1);
      // … and each time due had one, or was counted as missed.
      expect(Math.abs(due - taken - missed)).toBeLessThanOrEqual(3);
      // Moved: the schedule is where it was before the first edit.
      expect(Math.abs(movedMs)).toBeLessThan(INTERVAL_MS / 4);
      // Doubled.
      expect(server.conflicts).toEqual([]);
      expect(new Set(readings.map((reading) => reading.tsMs)).size).toBe(readings.length);
      // What did not change was not touched: one connection from beginning to end.
      expect(countOf(/connected to the MQTT broker/g)).toBe(1);
      expect(countOf(/in force: a new/g)).toBeGreaterThan(50);
      expect(countOf(/was refused/g)).toBeGreaterThan(0);
    }, 300_000);

    /** Writes a good file and waits for the status that was published with it. */
    async function inForce(edit: number): Promise<DeviceStatus> {
      await writeFile(path, config(edit));
      const isThere = (status: DeviceStatus | undefined): boolean =>
        status?.label === `edit ${edit}` && status.config?.state === 'ok';
      await until(`the status says edit ${edit}`, () => isThere(onlineStatus()));
      return onlineStatus()!;
    }

    /** Reloads that are over, in whatever way. */
    function outcomes(): number {
      return countOf(/in force|was refused/g);
    }

    function countOf(words: RegExp): number {
      return agentLog.match(words)?.length ?? 0;
    }
  },
);

/** How far the grid of the later times lies from that of the earlier ones, the shorter way round. */
function moved(earlierMs: readonly number[], laterMs: readonly number[]): number {
  const distance = after(gridOf(earlierMs), gridOf(laterMs));
  return distance > INTERVAL_MS / 2 ? distance - INTERVAL_MS : distance;
}

/**
 * Where in an interval samples are due: where most of them start. On a busy machine some start later, and then often the next
 * ones too, as the chip needs 80 of the 100 ms; none starts earlier.
 */
function gridOf(timesMs: readonly number[]): number {
  const closeTo = (ms: number): number => timesMs.filter((other) => after(ms, other) < INTERVAL_MS / 20).length;
  return timesMs.reduce((best, ms) => (closeTo(ms) > closeTo(best) ? ms : best));
}

/** How much later in its interval the second one is. */
function after(ms: number, laterMs: number): number {
  return (((laterMs - ms) % INTERVAL_MS) + INTERVAL_MS) % INTERVAL_MS;
}
