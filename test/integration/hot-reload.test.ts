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
import type { ConversionEntry, LogEntry } from '../support/emulator-log.ts';
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

/** A line of the agent's log about a reading; monotonic ms. */
interface Measured {
  readonly seq: number;
  readonly dueMs: number;
  readonly lateMs: number;
}

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
      await broker.dispose();
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
        `[logging]\nlog_level = ${edit % 3 === 0 ? 'info' : 'debug'}\n`,
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
      // No multiple of three: the log level is debug, and the agent says when each sample was due.
      const begin = await inForce(EDITS + 1);
      await until('the agent says when samples are due', () => measured().length > 0);
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
      const end = await inForce(EDITS + 3);
      const saidBefore = measured().length;
      await until('the agent says it after the last edit too', () => measured().length > saidBefore + 5);
      const ended = once(agent, 'exit');
      agent.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);

      const log = await emulator.log();
      const conversions = readConversions(log);
      const readings = [...server.stored.values()].filter((item): item is Reading => !('gap' in item));
      const seqs = readings.map((reading) => reading.seq!).sort((a, b) => a - b);
      // From one status to another: what was due, what was taken, what the agent says it missed (this machine may be busy).
      const due = Math.round((end.ts! - begin.ts!) / INTERVAL_MS);
      const taken = readings.filter(({ tsMs }) => tsMs > begin.ts! && tsMs <= end.ts!).length;
      const missed = end.sensor!.missed - begin.sensor!.missed;
      const said = measured();
      const movedMs = said.map(({ dueMs }) => offGrid(dueMs - said[0]!.dueMs));
      console.log(
        `${EDITS} edits (seed ${SEED}): ${due} times due, ${taken} taken, ${missed} missed, ${countOf(/in force: a new/g)} applied, schedule moved by ${Math.max(...movedMs).toFixed(3)} ms, ${said.length} samples ${median(said.map(({ lateMs }) => lateMs)).toFixed(1)} ms late (median)`,
      );

      // Dropped: each conversion that was read became a reading (the last one may have been cut off by SIGTERM) …
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
      expect(conversions.length - readings.length).toBeLessThanOrEqual(1);
      // … and each time due had one, or was counted as missed.
      expect(Math.abs(due - taken - missed)).toBeLessThanOrEqual(3);
      // Moved: what is due is due on the grid from before the first edit, however late this machine is, and the sensor was not
      // asked before. (Conversions and readings have the same numbers, as was seen above.)
      expect(Math.max(...movedMs)).toBeLessThan(0.01);
      for (const { seq, dueMs } of said) expect(conversions[seq - 1]!.startNs / 1e6).toBeGreaterThanOrEqual(dueMs);
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

    /** What the agent says of its samples while its log level is debug. */
    function measured(): readonly Measured[] {
      const lines = agentLog
        .split('\n')
        .slice(0, -1)
        .filter((line) => line.includes('"measured"'));
      return lines.map((line) => JSON.parse(line) as Measured);
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

/** How far a time that should be a number of intervals is from one. */
function offGrid(ms: number): number {
  return Math.abs(ms - Math.round(ms / INTERVAL_MS) * INTERVAL_MS);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** The conversions whose frame was read. On a busy machine the agent triggers again where it noticed the trigger's end too late. */
function readConversions(log: readonly LogEntry[]): readonly ConversionEntry[] {
  const read: ConversionEntry[] = [];
  let last: ConversionEntry | undefined;
  for (const entry of log) {
    if (entry.event === 'conversion') last = entry;
    else if (entry.event === 'frame' && entry.first && last !== undefined) read.push(last);
  }
  return read;
}
