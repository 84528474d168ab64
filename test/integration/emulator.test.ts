import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { constants as osConstants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';

import { type Emulator, type EmulatorOptions, emulatorAvailable, startEmulator } from '../support/emulator.ts';
import { emulatorFiles } from '../support/emulator-build.ts';
import { runSnippet, runUnderEmulator, startUnderEmulator } from '../support/emulator-child.ts';
import { type ConversionEntry, deliveredFrames, type FrameEntry } from '../support/emulator-log.ts';
import { type I2cClient, startI2cClient } from '../support/i2c-client.ts';

const run = promisify(execFile);
const officeRoom = fileURLToPath(new URL('../fixtures/office-room.csv', import.meta.url));
const playback = fileURLToPath(new URL('../support/emulator-playback-child.ts', import.meta.url));
const TRIGGER = 'ac3300';

/** Bit by bit, as the datasheet describes it; not the driver's. */
function crc8(bytes: Uint8Array): number {
  return bytes.reduce((crc, byte) => {
    let value = crc ^ byte;
    for (let bit = 0; bit < 8; bit += 1) value = ((value << 1) ^ (value & 0x80 ? 0x31 : 0)) & 0xff;
    return value;
  }, 0xff);
}

function crcHolds(frame: string): boolean {
  return crc8(Buffer.from(frame, 'hex')) === 0; // the CRC of all seven bytes
}

describe.skipIf(!emulatorAvailable)('emulated /dev/i2c-N', () => {
  const running: Emulator[] = [];
  const clients: I2cClient[] = [];
  const start = async (options: EmulatorOptions = {}): Promise<Emulator> => {
    const emulator = await startEmulator(options);
    running.push(emulator);
    return emulator;
  };
  const connect = async (emulator: Emulator): Promise<I2cClient> => {
    const client = await startI2cClient(emulator);
    clients.push(client);
    return client;
  };
  /** A sensor whose conversions take no time, and a client. */
  const quick = async (options: EmulatorOptions = {}): Promise<{ emulator: Emulator; client: I2cClient }> => {
    const emulator = await start({ ...options, settings: { conversionMs: 0, ...options.settings } });
    return { emulator, client: await connect(emulator) };
  };
  const measure = async (client: I2cClient, count = 7): Promise<string> => {
    await client.write(TRIGGER);
    return client.read(count);
  };
  const until = async (condition: () => Promise<boolean>, what: string): Promise<void> => {
    const deadline = Date.now() + 20_000;
    while (!(await condition())) if (Date.now() > deadline) throw new Error(`${what}: not within 20 s`);
  };
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.kill()));
    await Promise.all(running.splice(0).map((emulator) => emulator.stop()));
  });

  describe('as i2c-dev', () => {
    it('gives two published frames to the unmodified i2c-bus, CRC included', async () => {
      const { emulator, client } = await quick({
        settings: { statusExtra: 0x04 },
        source: { kind: 'raw', bytes: '65B425CD26' },
      });
      expect(await measure(client)).toBe('1c65b425cd26c6');
      await emulator.set({ statusExtra: 0 });
      await emulator.source({ kind: 'raw', bytes: '93AC952AC5' });
      expect(await measure(client)).toBe('1893ac952ac5b3');
      const frames = deliveredFrames(await emulator.log());
      expect(frames.map(({ temperature }) => temperature.toFixed(2))).toEqual(['22.52', '14.59']);
      expect(frames.map(({ humidity }) => humidity.toFixed(2))).toEqual(['39.73', '57.69']);
    });

    it('is a character device 89:N to fs.stat, fs.access and fs.open', async () => {
      const { client } = await quick({ busNumber: 17 });
      expect(await client.file('stat')).toEqual({ isCharacterDevice: true, major: 89, minor: 17 });
      await client.file('access', 6);
      await client.file('open');
    });

    it('answers every kind of transfer that i2c-bus has, and a scan finds one device', async () => {
      const { client } = await quick();
      expect(await client.call('scan')).toEqual([0x38]);
      expect(await client.call('i2cFuncs')).toMatchObject({ i2c: true, smbusQuick: true, smbusReadI2cBlock: true });
      expect(await client.call('receiveByte', 0x38)).toBe(0x18);
      await client.call('sendByte', 0x38, 0x71);
      expect(await client.call('readByte', 0x38, 0x71)).toBe(0x18);
      await client.call('writeByte', 0x38, 0x01, 0x02);
      expect(await client.call('readWord', 0x38, 0x71)).toBe(0x0018);
      await client.call('writeWord', 0x38, 0xac, 0x0033); // AC 33 00: a trigger by other means
      expect(await client.call('readI2cBlock', 0x38, 0x71, 7, { hex: '00'.repeat(7) })).toBe(await client.read(7));
      await client.call('writeI2cBlock', 0x38, 0xac, 2, { hex: '3300' });
      await client.call('writeBlock', 0x38, 0xac, 2, { hex: '3300' }); // AC 02 33 00: not a trigger
      await client.call('writeQuick', 0x38, 0);
      expect(await client.call('readI2cBlock', 0x38, 0x71, 32, { hex: '00'.repeat(32) })).toMatch(/^18.{12}(ff){25}$/);
      await expect(client.call('deviceId', 0x38)).rejects.toThrow('Remote I/O error'); // its address is nobody's
    });

    it('does what the kernel does where i2c-bus never goes', async () => {
      const emulator = await start({ busNumber: 3 });
      const { stdout } = await run(emulatorFiles().probe, ['/dev/i2c-3'], { env: { ...process.env, ...emulator.env } });
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { what: string; result: number; errno: number });
      const { EINVAL, ENOTTY, EACCES, EBADF } = osConstants.errno;
      const EREMOTEIO = 121;
      expect(Object.fromEntries(lines.map(({ what, result, errno }) => [what, errno === 0 ? result : -errno]))).toEqual(
        {
          open: 0,
          'read without an address': -EREMOTEIO,
          'write without an address': -EREMOTEIO,
          'address 0x80': -EINVAL,
          'forced address': 0,
          'unknown ioctl': -ENOTTY,
          retries: 0,
          'empty write': 0,
          pread: 1,
          status: 0x18,
          readv: 7,
          writev: 3,
          combined: 2,
          'register byte 1': 0x5b,
          'combined, nobody there': -EREMOTEIO,
          'combined, no messages': -EINVAL,
          stat: 0,
          'stat says character device': 1,
          'stat major': 89,
          lstat: 0,
          fstat: 0,
          'fstat minor': 3,
          fstatat: 0,
          statx: 0,
          'statx major': 89,
          access: 0,
          faccessat: -EACCES,
          openat: 0,
          close: 0,
          'read after close': -EBADF,
          'read of a file put in its place': 5,
          'number is given away again': 1,
          'read of the other file': 5,
        },
      );
    });

    it('answers addresses without a device with a NACK, EREMOTEIO or as set', async () => {
      const { emulator, client } = await quick();
      const readElsewhere = (): Promise<unknown> => client.call('i2cRead', 0x39, 1, { hex: '00' });
      await expect(readElsewhere()).rejects.toThrow('EREMOTEIO');
      await emulator.set({ nackErrno: 'ENXIO' });
      await expect(readElsewhere()).rejects.toThrow('ENXIO');
    });

    it('has the mode and group of the device file that it is told', async () => {
      const emulator = await start({ settings: { deviceMode: 0o640, deviceGid: 998 } });
      const code = `import fs from 'node:fs';
        const { mode, gid } = fs.statSync('/dev/i2c-1');
        console.log((mode & 0o777).toString(8), gid);`;
      expect((await runSnippet(emulator, code)).stdout).toBe('640 998\n');
    });

    it('takes as long on the wire as its bit rate says', async () => {
      const { client } = await quick({ settings: { bitRate: 1000 } });
      const before = performance.now();
      await client.read(7);
      expect(performance.now() - before).toBeGreaterThan(71); // (7 + 1) bytes of 9 bits
    });

    it('serves several buses in one process, each with its own sensor', async () => {
      const inside = await start({ busNumber: 1, source: { kind: 'raw', bytes: '65B425CD26' } });
      const outside = await start({ busNumber: 4, source: { kind: 'raw', bytes: '93AC952AC5' } });
      await Promise.all([inside, outside].map((emulator) => emulator.set({ conversionMs: 0 })));
      const result = await runSnippet(
        [inside, outside],
        `import i2c from 'i2c-bus';
        for (const number of [1, 4]) {
          const bus = i2c.openSync(number);
          bus.i2cWriteSync(0x38, 3, Buffer.from('ac3300', 'hex'));
          const frame = Buffer.alloc(6);
          bus.i2cReadSync(0x38, 6, frame);
          console.log(frame.toString('hex'));
        }`,
      );
      expect(result).toEqual({ code: 0, signal: null, stdout: '1865b425cd26\n1893ac952ac5\n', stderr: '' });
    });

    it('leaves the rest of the file system alone', async () => {
      const emulator = await start();
      const code = `import fs from 'node:fs';
        console.log(fs.existsSync('/dev/i2c-99'), fs.statSync('/dev/null').isCharacterDevice(),
          fs.readFileSync('package.json', 'utf8').length === fs.statSync('package.json').size);`;
      expect((await runSnippet(emulator, code)).stdout).toBe('false true true\n');
    });
  });

  describe('as an AHT20', () => {
    it('acknowledges nothing before its power-up time is over', async () => {
      const { emulator, client } = await quick({ settings: { powerUpMs: 3_600_000 } });
      expect(await client.read(1)).toBe('18'); // it has been on for long
      await emulator.powerCycle();
      await expect(client.read(1)).rejects.toThrow('EREMOTEIO');
      await emulator.set({ powerUpMs: 0 });
      await emulator.powerCycle();
      expect(await client.read(1)).toBe('18');
    });

    it('starts with its power-up time when it was just switched on', async () => {
      const emulator = await start({ justPoweredOn: true, settings: { powerUpMs: 3_600_000 } });
      const client = await connect(emulator);
      await expect(client.read(1)).rejects.toThrow('EREMOTEIO');
    });

    it('is busy while it converts, shows old data meanwhile, and ignores a second trigger', async () => {
      const emulator = await start({
        settings: { conversionMs: 3_600_000 },
        source: { kind: 'raw', bytes: '93AC952AC5' },
      });
      const client = await connect(emulator);
      await client.write(TRIGGER);
      expect(await client.read(1)).toBe('98');
      const frame = await client.read(7);
      expect(frame.slice(0, 12)).toBe('980000000000');
      expect(crcHolds(frame)).toBe(true); // so that the CRC alone does not tell
      await client.write(TRIGGER);
      expect((await emulator.log()).flatMap((entry) => (entry.event === 'write' ? [entry.effect] : []))).toEqual([
        'trigger',
        'ignored-busy',
      ]);
      expect((await emulator.state()).conversions).toBe(1);
    });

    it('converts in the time that it was given, by its own log', async () => {
      const emulator = await start();
      const client = await connect(emulator);
      await client.write(TRIGGER);
      await until(async () => !(parseInt(await client.read(1), 16) & 0x80), 'conversion');
      await client.read(7);
      const log = await emulator.log();
      const conversion = log.find((entry): entry is ConversionEntry => entry.event === 'conversion')!;
      expect(conversion.endNs - conversion.startNs).toBeCloseTo(75e6, -2);
      expect(deliveredFrames(log)[0]!.ns).toBeGreaterThan(conversion.endNs);
      const tooEarly = log.filter((entry) => entry.event === 'status' && !entry.busy && entry.ns < conversion.endNs);
      expect(tooEarly).toEqual([]);
    });

    it('gives the same frame again when it is read again, and 6 bytes without a CRC', async () => {
      const { emulator, client } = await quick({ source: { kind: 'csv', path: officeRoom } });
      const frame = await measure(client);
      expect(await client.read(7)).toBe(frame);
      expect(await client.read(6)).toBe(frame.slice(0, 12));
      expect(await client.read(9)).toBe(`${frame}ffff`);
      expect((await emulator.state()).nextSample).toBe(1);
    });

    it('takes no row of the file for a conversion that nobody read', async () => {
      const { emulator, client } = await quick({ source: { kind: 'csv', path: officeRoom } });
      await client.write(TRIGGER);
      await measure(client);
      await measure(client);
      expect(deliveredFrames(await emulator.log()).map(({ conversion, row }) => [conversion, row])).toEqual([
        [2, 0],
        [3, 1],
      ]);
    });

    it.each(['be0800', 'e10800'])('is calibrated by %s when it was not at power-up', async (init) => {
      const { emulator, client } = await quick({ settings: { calibratedAtPowerUp: false, initMs: 0 } });
      expect(await client.read(1)).toBe('10');
      expect((await measure(client)).slice(2, 12)).toBe('0000000000');
      await client.write(init);
      expect(await client.read(1)).toBe('18');
      await measure(client);
      expect(deliveredFrames(await emulator.log()).map(({ sample }) => sample)).toEqual([0]);
    });

    it('is busy for the 10 ms of an initialisation', async () => {
      const { client } = await quick({ settings: { calibratedAtPowerUp: false, initMs: 3_600_000 } });
      await client.write('be0800');
      expect(await client.read(1)).toBe('98');
    });

    it('sets status bits 3 and 4 after the register routine of the newer sheets', async () => {
      const { client } = await quick({
        personality: 'aht20-new',
        settings: { calibratedAtPowerUp: false, registersAtPowerUp: false, initMs: 0 },
      });
      await expect(client.write('e10800')).rejects.toThrow('EREMOTEIO');
      for (const register of [0x1b, 0x1c, 0x1e]) {
        expect(await client.read(1)).toBe('00');
        await client.write(`${register.toString(16)}0000`);
        const answer = await client.read(3);
        await client.write((0xb0 | register).toString(16) + answer.slice(2));
      }
      expect(await client.read(1)).toBe('18');
    });

    it('does not take a register value that it did not give', async () => {
      const { emulator, client } = await quick();
      await client.write('1b0000');
      await client.read(3);
      await client.write('bb0000');
      const writes = (await emulator.log()).filter((entry) => entry.event === 'write');
      expect(writes.map(({ effect }) => effect)).toEqual(['register-selected', 'register-wrong-value']);
    });

    it('forgets its data in a soft reset and is away for 20 ms', async () => {
      const { emulator, client } = await quick({ settings: { resetMs: 3_600_000 } });
      await measure(client);
      await client.write('ba');
      await expect(client.read(1)).rejects.toThrow('EREMOTEIO');
      await emulator.set({ powerUpMs: 0 });
      await emulator.powerCycle();
      expect(await client.read(6)).toBe('180000000000');
    });

    it('has no CRC and no registers as an AHT10, and only E1 initialises it', async () => {
      const { emulator, client } = await quick({
        personality: 'aht10',
        settings: { calibratedAtPowerUp: false, initMs: 0 },
      });
      await client.write('be0800');
      expect(await client.read(1)).toBe('00');
      await client.write('e10800');
      const frame = await measure(client);
      expect(frame.slice(0, 2)).toBe('08');
      expect(frame.slice(12)).toBe('ff');
      await emulator.set({ repeatSeventh: true });
      expect((await client.read(7)).slice(12)).toBe(frame.slice(10, 12));
    });

    it('stays busy after 71 was written, where it is told to be such a chip', async () => {
      const { emulator, client } = await quick({ settings: { statusExtra: 0x04, resetMs: 0 } });
      await client.write('71');
      expect(await client.read(1)).toBe('1c');
      await emulator.set({ busyAfter71: 'reset' });
      await client.write('71');
      expect(await client.read(1)).toBe('9c');
      await client.write('ba');
      expect(await client.read(1)).toBe('1c');
    });

    it('makes values of a sine with noise, the same ones for the same seed', async () => {
      const source = {
        kind: 'sine',
        temperature: 20,
        humidity: 50,
        temperatureSwing: 5,
        humiditySwing: 10,
        period: 12,
        noise: 0.2,
        seed: 7,
      } as const;
      const { emulator, client } = await quick({ source });
      for (let i = 0; i < 12; i += 1) await measure(client);
      await emulator.source(source);
      for (let i = 0; i < 12; i += 1) await measure(client);
      const values = deliveredFrames(await emulator.log()).map(({ temperature }) => temperature);
      expect(values.slice(0, 12)).toEqual(values.slice(12));
      expect(new Set(values).size).toBe(12);
      expect(Math.abs(values[3]! - 25)).toBeLessThanOrEqual(0.2);
      expect(Math.abs(values[9]! - 15)).toBeLessThanOrEqual(0.2);
    });

    it('holds the last row of a file or starts again, as told', async () => {
      const { emulator, client } = await quick({ source: { kind: 'csv', path: officeRoom } });
      const rows = async (atEnd: 'hold' | 'wrap'): Promise<number[]> => {
        await emulator.source({ kind: 'csv', path: officeRoom, atEnd, firstRow: 8141 });
        const before = deliveredFrames(await emulator.log()).length;
        for (let i = 0; i < 4; i += 1) await measure(client);
        return deliveredFrames(await emulator.log())
          .slice(before)
          .map(({ row }) => row);
      };
      expect(await rows('hold')).toEqual([8141, 8142, 8142, 8142]);
      expect(await rows('wrap')).toEqual([8141, 8142, 0, 1]);
    });

    it('plays all 8,143 rows of real data, each within half a step of its scale', async () => {
      const emulator = await start({ settings: { conversionMs: 0 }, source: { kind: 'csv', path: officeRoom } });
      const result = await runUnderEmulator(emulator, playback, { args: ['1', '8143'], limitMs: 200_000 });
      expect(result.stderr).toBe('');
      const received = result.stdout.trim().split('\n');
      const frames = deliveredFrames(await emulator.log());
      expect(frames.map(({ row }) => row)).toEqual(Array.from({ length: 8143 }, (_, row) => row));
      expect(received.map((frame) => frame.toUpperCase())).toEqual(frames.map(({ bytes }) => bytes));
      const worst = (error: (frame: FrameEntry, data: bigint) => number): number =>
        Math.max(...frames.map((frame) => Math.abs(error(frame, BigInt(`0x${frame.bytes.slice(2, 12)}`)))));
      const steps = 2 ** 20;
      expect(worst(({ humidity }, data) => (Number(data >> 20n) / steps) * 100 - humidity)).toBeLessThan(
        50.001 / steps,
      );
      expect(worst(({ temperature }, data) => (Number(data & 0xfffffn) / steps) * 200 - 50 - temperature)).toBeLessThan(
        100.001 / steps,
      );
    });
  });

  describe('with faults', () => {
    it('unplugged it is gone, plugged in again it has lost its calibration', async () => {
      const { emulator, client } = await quick({ settings: { powerUpMs: 0, calibratedAtPowerUp: false, initMs: 0 } });
      await client.write('be0800');
      expect(await client.read(1)).toBe('18');
      await emulator.fault('absent');
      await expect(client.read(1)).rejects.toThrow('EREMOTEIO');
      expect(await client.call('scan')).toEqual([]);
      await emulator.clearFault('absent');
      expect(await client.read(1)).toBe('10');
    });

    it('NACKs as often as asked for, after as many transfers as asked for, only of the kind asked for', async () => {
      const { emulator, client } = await quick();
      await emulator.fault('nack', { on: 'write', skip: 1, count: 2 });
      await client.write(TRIGGER);
      await expect(client.write(TRIGGER)).rejects.toThrow('EREMOTEIO');
      await client.read(7);
      await expect(client.write(TRIGGER)).rejects.toThrow('EREMOTEIO');
      await client.write(TRIGGER);
      expect((await emulator.state()).faults.nack).toEqual({ active: false, hits: 2 });
    });

    it('NACKs with a probability, the same transfers for the same seed', async () => {
      const { emulator, client } = await quick();
      const pattern = async (seed: number): Promise<string> => {
        await emulator.fault('nack', { probability: 0.5, seed });
        let outcome = '';
        for (let i = 0; i < 64; i += 1) outcome += await client.read(1).catch(() => 'x');
        return outcome;
      };
      const first = await pattern(1);
      expect(await pattern(1)).toBe(first);
      expect(await pattern(2)).not.toBe(first);
      expect(first).toMatch(/x/);
      expect(first).toMatch(/18/);
    });

    it('times out after the given time', async () => {
      const { emulator, client } = await quick();
      await emulator.fault('timeout', { ms: 30, count: 1 });
      const before = performance.now();
      await expect(client.read(1)).rejects.toThrow('ETIMEDOUT');
      expect(performance.now() - before).toBeGreaterThan(29);
      expect(await client.read(1)).toBe('18');
    });

    it('hangs until it is released', async () => {
      const { emulator, client } = await quick();
      await emulator.fault('hang', { count: 1 });
      let answered = false;
      const read = client.read(1).finally(() => (answered = true));
      await until(async () => (await emulator.state()).faults.hang?.hits === 1, 'hang');
      await client.file('stat'); // the client lives, only the transfer does not return
      expect(answered).toBe(false);
      await emulator.clearFault('hang');
      expect(await read).toBe('18');
    });

    it('stays busy until a soft reset, a power cycle or for good', async () => {
      const { emulator, client } = await quick({ settings: { resetMs: 0, powerUpMs: 0 } });
      const busyAfter = async (option: string): Promise<string[]> => {
        await emulator.fault('busy', { option });
        const seen = [await client.read(1)];
        await client.write('ba');
        seen.push(await client.read(1));
        await emulator.powerCycle();
        seen.push(await client.read(1));
        await emulator.clearFaults();
        return [...seen, await client.read(1)];
      };
      expect(await busyAfter('reset')).toEqual(['98', '18', '18', '18']);
      expect(await busyAfter('power-cycle')).toEqual(['98', '98', '18', '18']);
      expect(await busyAfter('for-good')).toEqual(['98', '98', '98', '18']);
    });

    it('loses its calibration, and gets it back by an init or never', async () => {
      const { emulator, client } = await quick({ settings: { initMs: 0, resetMs: 0 } });
      await emulator.fault('not-calibrated');
      expect(await client.read(1)).toBe('00');
      await client.write('be0800');
      expect(await client.read(1)).toBe('18');
      await client.write('ba');
      expect(await client.read(1)).toBe('00');
      await emulator.fault('not-calibrated', { option: 'never' });
      await client.write('be0800');
      expect(await client.read(1)).toBe('00');
      await emulator.clearFaults();
      expect(await client.read(1)).toBe('18');
    });

    it('refuses the older inits as newer chips do', async () => {
      const { emulator, client } = await quick();
      await emulator.fault('refuse-init');
      await expect(client.write('e10800')).rejects.toThrow('EREMOTEIO');
      await client.write('be0800');
      await emulator.fault('refuse-init', { option: 'both' });
      await expect(client.write('be0800')).rejects.toThrow('EREMOTEIO');
    });

    it('flips bits so that the CRC shows it, in about as many frames as asked for, and no row is lost', async () => {
      const { emulator, client } = await quick({ source: { kind: 'csv', path: officeRoom } });
      await emulator.fault('crc', { probability: 0.3, seed: 42 });
      const frames: string[] = [];
      for (let i = 0; i < 200; i += 1) frames.push(await measure(client));
      const bad = frames.filter((frame) => !crcHolds(frame));
      expect(bad.length).toBeGreaterThan(35);
      expect(bad.length).toBeLessThan(85);
      expect(bad).toHaveLength((await emulator.state()).faults.crc!.hits);
      const rows = deliveredFrames(await emulator.log()).map(({ row }) => row);
      expect(rows).toEqual(Array.from({ length: 200 - bad.length }, (_, row) => row));
    });

    it('corrupts data under a right CRC, differently at each reading', async () => {
      const { emulator, client } = await quick({ source: { kind: 'raw', bytes: '65B425CD26' } });
      await emulator.fault('crc-valid');
      await client.write(TRIGGER);
      const frames = [await client.read(7), await client.read(7), await client.read(7)];
      expect(frames.every(crcHolds)).toBe(true);
      expect(new Set([...frames, '1865b425cd26'.padEnd(14)]).size).toBeGreaterThan(2);
      await emulator.clearFaults();
      expect((await client.read(7)).slice(2, 12)).toBe('65b425cd26');
    });

    it('freezes its value', async () => {
      const { emulator, client } = await quick({ source: { kind: 'csv', path: officeRoom } });
      const last = await measure(client);
      await emulator.fault('frozen', { count: 3 });
      for (let i = 0; i < 3; i += 1) expect(await measure(client)).toBe(last);
      await measure(client);
      expect(deliveredFrames(await emulator.log()).map(({ row }) => row)).toEqual([0, 1]);
    });

    it('gives frames of zeros or ones, from a stuck line or with a right CRC', async () => {
      const { emulator, client } = await quick();
      await emulator.fault('zero');
      expect(await measure(client)).toBe('00'.repeat(7));
      expect(await client.read(1)).toBe('18');
      await emulator.fault('zero', { option: 'data' });
      const zeros = await measure(client);
      expect(zeros.slice(0, 12)).toBe('180000000000');
      expect(crcHolds(zeros)).toBe(true);
      await emulator.clearFaults();
      await emulator.fault('ones', { on: 'any' });
      expect(await measure(client)).toBe('ff'.repeat(7));
      expect(await client.read(1)).toBe('ff');
    });

    it.each([
      ['no-device', 'ENOENT', 'ENOENT', 'ENOENT'],
      ['no-permission', 'EACCES', 'EACCES', 'found'],
    ] as const)('%s: open says %s, access %s, stat %s', async (kind, open, access, stat) => {
      const { emulator, client } = await quick();
      const outcome = (op: 'open' | 'access' | 'stat', ...args: number[]): Promise<unknown> =>
        client.file(op, ...args).then(
          () => 'found',
          (error: unknown) => (error as Error).message,
        );
      await emulator.fault(kind);
      expect([await outcome('open'), await outcome('access', 6), await outcome('stat')]).toEqual([open, access, stat]);
      await expect(client.read(1)).rejects.toThrow(open);
      await emulator.clearFaults();
      expect(await client.read(1)).toBe('18');
    });

    it('is held by a kernel driver: EBUSY, and the next call of i2c-bus has no address', async () => {
      const { emulator, client } = await quick();
      await emulator.fault('kernel-driver');
      await expect(client.read(1)).rejects.toThrow('EBUSY');
      await expect(client.read(1)).rejects.toThrow('EREMOTEIO'); // X26: i2c-bus keeps the descriptor
      await emulator.clearFaults();
      await client.file('reopen');
      expect(await client.read(1)).toBe('18');
    });

    it('lets something else answer at 0x38', async () => {
      const { emulator, client } = await quick();
      await emulator.fault('other-device', { bytes: 'A1B2' });
      expect(await client.call('scan')).toEqual([0x38]);
      expect(await measure(client)).toBe('a1b2a1b2a1b2a1');
    });

    it('refuses a fault, an option or a setting that does not exist', async () => {
      const emulator = await start();
      await expect(emulator.fault('sabotage' as 'nack')).rejects.toThrow('no such fault: sabotage');
      await expect(emulator.set({ conversionsMs: 1 } as object)).rejects.toThrow('no such setting: conversionsMs');
      expect((await emulator.state()).conversions).toBe(0); // the lock that the failed commands held is free
    });
  });

  describe('with several clients', () => {
    it('is one sensor to two processes at once', async () => {
      const { emulator, client } = await quick({ source: { kind: 'csv', path: officeRoom } });
      const other = await connect(emulator);
      const hundred = async (one: I2cClient): Promise<void> => {
        for (let i = 0; i < 100; i += 1) await measure(one);
      };
      await Promise.all([hundred(client), hundred(other)]);
      const log = await emulator.log();
      const frames = deliveredFrames(log);
      expect(frames.map(({ row }) => row)).toEqual(frames.map((_, index) => index));
      expect(new Set(frames.map(({ pid }) => pid))).toEqual(new Set([client.pid, other.pid]));
      expect(log.filter(({ event }) => event === 'conversion')).toHaveLength(200);
      expect(log.map(({ ns }) => ns)).toEqual(log.map(({ ns }) => ns).toSorted((a, b) => a - b));
    });

    it('serves four threads of one process', async () => {
      const emulator = await start();
      const { stdout } = await run(emulatorFiles().probe, ['/dev/i2c-1', 'threads', '2000'], {
        env: { ...process.env, ...emulator.env },
      });
      expect(JSON.parse(stdout)).toMatchObject({ result: 8000 });
    });

    it('keeps its state over the death of its client', async () => {
      const { emulator, client } = await quick({ settings: { calibratedAtPowerUp: false, initMs: 0 } });
      await client.write('be0800');
      const frame = await measure(client);
      await client.kill();
      expect(await (await connect(emulator)).read(7)).toBe(frame);
    });

    it('frees the bus when a client is killed in the middle of a transfer', async () => {
      const { emulator, client } = await quick();
      const other = await connect(emulator);
      await other.read(1);
      await emulator.fault('hang', { count: 1 });
      const hanging = expect(client.read(1)).rejects.toThrow('KILLED');
      await until(async () => (await emulator.state()).faults.hang?.hits === 1, 'hang');
      let answered = false;
      const waiting = other.read(1).finally(() => (answered = true));
      for (let i = 0; i < 10; i += 1) await other.file('stat');
      expect(answered).toBe(false); // the adapter serves one client at a time
      await client.kill();
      await hanging;
      expect(await waiting).toBe('18');
    });

    it('is never half changed by a client that is killed at any instant', async () => {
      const emulator = await start({ settings: { conversionMs: 0 }, source: { kind: 'csv', path: officeRoom } });
      const witness = await connect(emulator);
      for (let round = 0; round < 20; round += 1) {
        const goal = (await emulator.state()).conversions + 1 + ((round * 89) % 300);
        const victim = await startUnderEmulator(emulator, playback, { args: ['1', '1000000'] });
        const gone = once(victim, 'close');
        victim.stdout.resume();
        await until(async () => (await emulator.state()).conversions >= goal, 'measuring');
        victim.kill('SIGKILL');
        await gone;
        await measure(witness);
      }
      const rows = deliveredFrames(await emulator.log()).map(({ row }) => row);
      expect(rows).toEqual(rows.map((_, index) => Math.min(index, 8142)));
    });
  });
});
