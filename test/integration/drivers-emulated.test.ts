import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Emulator, type EmulatorOptions, emulatorAvailable, startEmulator } from '../support/emulator.ts';
import type { FrameEntry, LogEntry, WriteEntry } from '../support/emulator-log.ts';
import { type MeasuringProgram, startMeasuringProgram } from '../support/measuring-program.ts';

const FIRST = { kind: 'raw', bytes: '65B425CD26' } as const; // 22.517 °C, 39.728 %RH
const LIVELY = {
  kind: 'sine',
  temperature: 21,
  humidity: 45,
  temperatureSwing: 3,
  humiditySwing: 10,
  period: 50,
  noise: 0.02,
  seed: 5,
} as const;
/** A measurement with all repairs ends within 3 s of the machine's time; a busy machine gets more. */
const BOUND_MS = 10_000;
/** Between two measurements of a program that shares its sensor; long enough for those of another. */
const PAUSE_MS = 150;

describe.skipIf(!emulatorAvailable)('the driver on an emulated /dev/i2c-N, through the unmodified i2c-bus', () => {
  const emulators: Emulator[] = [];
  const programs: MeasuringProgram[] = [];

  async function start(options: EmulatorOptions = {}): Promise<{ emulator: Emulator; program: MeasuringProgram }> {
    const emulator = await startEmulator({ source: FIRST, ...options });
    emulators.push(emulator);
    return { emulator, program: await connect(emulator) };
  }

  async function connect(emulator: Emulator): Promise<MeasuringProgram> {
    const program = await startMeasuringProgram(emulator);
    programs.push(program);
    return program;
  }

  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.kill()));
    await Promise.all(emulators.splice(0).map((emulator) => emulator.stop()));
  });

  describe('a healthy chip', () => {
    it('gives its values, and is asked for its state once', async () => {
      const { emulator, program } = await start();
      for (let reading = 0; reading < 3; reading++) {
        const { temperatureCelsius, humidityPercent, frame } = await program.measure();
        expect(temperatureCelsius).toBeCloseTo(22.517, 3);
        expect(humidityPercent).toBeCloseTo(39.728, 3);
        expect(frame.slice(2, 12)).toBe('65b425cd26');
      }
      const log = await emulator.log();
      expect(writes(log)).toEqual(['ac3300', 'ac3300', 'ac3300']);
      expect(log.filter((entry) => entry.event === 'status')).toHaveLength(2);
      expect(await program.health()).toMatchObject({ measurements: 3, retries: 0, failures: 0, busReopenings: 0 });
    });

    it('is said to have measured when it did, however late the program reads its answer', async () => {
      const { emulator, program } = await start();
      await program.measure();
      const { endedNs, uncertaintyMs, tookMs } = await program.measure(1_200);
      expect(tookMs).toBeGreaterThan(1_200);
      const ends = (await emulator.log()).flatMap((entry) => (entry.event === 'conversion' ? [entry.endNs] : []));
      const errorMs = (endedNs - (ends.at(-1) ?? 0)) / 1e6;
      // The chip has ended within the 80 ms that its sheet allows; the rest is what the trigger's transfer left open.
      expect(errorMs).toBeGreaterThan(-10 - uncertaintyMs);
      expect(errorMs).toBeLessThan(80 + uncertaintyMs);
    });

    it('is waited for while its conversion takes longer than the sheet says', async () => {
      const { emulator, program } = await start({ settings: { conversionMs: 130 } });
      await program.measure();
      expect((await frames(emulator)).some(({ busy }) => busy)).toBe(true);
      expect(await program.health()).toMatchObject({ retries: 0 });
    });

    it('is waited for after power-on', async () => {
      const { program } = await start({ justPoweredOn: true, settings: { powerUpMs: 60 } });
      await program.measure();
    });

    it('measures again after the program was killed in the middle of a conversion', async () => {
      const { emulator, program } = await start();
      const killed = program.measure().catch(() => undefined);
      await until(async () => writes(await emulator.log()).includes('ac3300'));
      await program.kill();
      void killed;
      await (await connect(emulator)).measure();
    });
  });

  describe('every variant', () => {
    it.each([
      ['aht20', 'be0800'],
      ['aht20-new', 'be0800'],
      ['dht20', 'be0800'],
    ] as const)('%s without calibration is initialised', async (personality, command) => {
      const { emulator, program } = await start({
        personality,
        justPoweredOn: true,
        settings: { calibratedAtPowerUp: false, registersAtPowerUp: false, powerUpMs: 20 },
      });
      expect((await program.measure()).temperatureCelsius).toBeCloseTo(22.517, 3);
      expect(writes(await emulator.log())).toContain(command);
    });

    it('a newer chip that refuses both commands gets its registers loaded', async () => {
      const { emulator, program } = await start({
        justPoweredOn: true,
        settings: {
          acceptsBe: false,
          acceptsE1: false,
          calibratedAtPowerUp: false,
          registersAtPowerUp: false,
          powerUpMs: 20,
        },
      });
      expect((await program.measure()).temperatureCelsius).toBeCloseTo(22.517, 3);
      const effects = (await emulator.log()).flatMap((entry) => (entry.event === 'write' ? entry.effect : []));
      expect(effects).toContain('registers-done');
      expect(effects).not.toContain('register-wrong-value');
    });

    it.each([false, true])(
      'an AHT10 is recognised by what it does not send (last byte repeated: %s)',
      async (repeatSeventh) => {
        const { emulator, program } = await start({
          personality: 'aht10',
          source: LIVELY,
          justPoweredOn: true,
          settings: { calibratedAtPowerUp: false, powerUpMs: 20, repeatSeventh },
        });
        for (let reading = 0; reading < 5; reading++) {
          const { frame } = await program.measure();
          expect((await frames(emulator)).at(-1)?.bytes.slice(0, 12).toLowerCase()).toBe(frame);
        }
        expect(writes(await emulator.log())).toContain('e10800');
      },
    );
  });

  describe('the ladder of repair', () => {
    it.each([
      ['is busy until a reset', 'busy', { option: 'reset' }, ['ba']],
      ['is busy until the power is off, and then cut', 'busy', { option: 'power-cycle', count: 90 }, ['ba']],
      ['sends zeros twice', 'zero', { option: 'bus', count: 2, on: 'frame' }, ['ba']],
      ['sends zeros with the right checksum', 'zero', { option: 'data', count: 1, on: 'frame' }, []],
      ['sends ones', 'ones', { option: 'bus', count: 1, on: 'frame' }, []],
      ['lost its calibration', 'not-calibrated', { option: 'works', count: 1 }, ['be0800']],
      ['does not acknowledge its trigger', 'nack', { on: 'write', count: 1 }, []],
      ['does not acknowledge a frame', 'nack', { on: 'frame', count: 1 }, []],
      ['holds the bus once', 'timeout', { count: 1, ms: 50 }, []],
      ['sends damaged frames', 'crc', { count: 13, option: 1 }, ['ba']],
    ] as const)('gets a value from a chip that %s', async (_what, kind, options, repairs) => {
      const { emulator, program } = await start();
      await program.measure();
      await emulator.fault(kind, options);
      const { temperatureCelsius, tookMs } = await program.measure();
      expect(temperatureCelsius).toBeCloseTo(22.517, 3);
      expect(tookMs).toBeLessThan(BOUND_MS);
      const sent = writes(await emulator.log());
      for (const repair of repairs) expect(sent).toContain(repair);
      expect(await program.health()).toMatchObject({ measurements: 2, failures: 0 });
      expect((await program.health()).retries + (await program.health()).crcErrors).toBeGreaterThan(0);
    });

    it.each([
      ['is absent', 'absent', {}, 'I2C_NACK'],
      ['never acknowledges', 'nack', {}, 'I2C_NACK'],
      ['is busy for ever', 'busy', {}, 'SENSOR_BUSY'],
      ['never gets its calibration', 'not-calibrated', { option: 'never' }, 'SENSOR_NOT_CALIBRATED'],
      ['sends nothing but zeros', 'zero', { option: 'bus', on: 'frame' }, 'SENSOR_IMPLAUSIBLE'],
      ['sends zeros with the right checksum', 'zero', { option: 'data', on: 'frame' }, 'SENSOR_IMPLAUSIBLE'],
      ['sends nothing but ones', 'ones', { option: 'bus', on: 'frame' }, 'SENSOR_IMPLAUSIBLE'],
      ['sends damaged frames only', 'crc', { option: 3 }, 'SENSOR_CRC'],
      ['holds the bus', 'timeout', { ms: 300 }, 'I2C_TIMEOUT'],
      ['was a different one all the time', 'other-device', { bytes: '00112233' }, 'SENSOR_'],
      ['lost its bus', 'no-device', {}, 'I2C_BUS_MISSING'],
      ['belongs to a driver of the kernel', 'kernel-driver', {}, 'I2C_ADDRESS_IN_USE'],
    ] as const)(
      'reports a chip that %s within a bounded time, and goes on when that is over',
      async (_w, kind, options, code) => {
        const { emulator, program } = await start();
        await program.measure();
        await emulator.fault(kind, options);
        // What is open stays open until the driver lets go of it: these two are met by a process that starts into them.
        const affected = kind === 'no-device' || kind === 'kernel-driver' ? await connect(emulator) : program;
        for (let attempt = 0; attempt < 2; attempt++) {
          const failure = await affected.fail();
          expect(failure.code).toContain(code);
          expect(failure.tookMs).toBeLessThan(BOUND_MS);
        }
        expect(await affected.health()).toMatchObject({ failures: 2 });
        await emulator.clearFaults();
        if (kind === 'busy') await emulator.powerCycle();
        if (kind === 'not-calibrated') await emulator.powerCycle();
        expect((await affected.measure()).temperatureCelsius).toBeCloseTo(22.517, 3);
      },
    );

    it('reports a chip that repeats itself for hours, and believes it again when it moves', async () => {
      const { emulator, program } = await start({ source: LIVELY });
      await program.measure();
      await emulator.fault('frozen');
      for (let reading = 0; reading < 20; reading++) await program.measure();
      await program.advance(3 * 3600 * 1000);
      expect(await program.fail()).toMatchObject({ code: 'SENSOR_FROZEN' });
      expect(writes(await emulator.log())).toContain('ba');
      await emulator.clearFaults();
      await program.measure();
    });

    it('finds a chip again that was unplugged and came back without its calibration', async () => {
      const { emulator, program } = await start({ settings: { calibratedAtPowerUp: false, powerUpMs: 20 } });
      await program.measure();
      await emulator.fault('absent');
      await program.fail();
      await emulator.powerCycle();
      await emulator.clearFaults();
      expect((await program.measure()).temperatureCelsius).toBeCloseTo(22.517, 3);
    });
  });

  it.each(['crc', 'crc-valid'] as const)(
    'never gives a value that the chip did not, with noise of kind %s on the line',
    async (kind) => {
      const { emulator, program } = await start({ source: LIVELY, settings: { conversionMs: 1 } });
      await emulator.fault(kind, { probability: 0.4, seed: 11 });
      const given: string[] = [];
      for (let reading = 0; reading < 40; reading++) {
        const measured = await program.measure().catch(() => undefined);
        if (measured !== undefined) given.push(measured.frame.slice(2, 12));
      }
      const truth = new Set(
        (await emulator.log()).flatMap((entry) => (entry.event === 'conversion' ? entry.raw.toLowerCase() : [])),
      );
      expect(given.filter((raw) => !truth.has(raw))).toEqual([]);
      expect(given.length).toBeGreaterThan(30);
    },
  );

  describe('a transfer that never returns', () => {
    it('freezes nothing: it is reported, the third is not begun, and all works again when the bus does', async () => {
      const { emulator, program } = await start();
      await program.measure();
      await emulator.fault('hang');
      const hanging = program.fail();
      await program.readFile();
      expect(await program.health()).toMatchObject({ hungTransfers: 0 });
      expect(await hanging).toMatchObject({ code: 'I2C_HUNG' });
      expect((await program.fail()).code).toBe('I2C_HUNG');
      expect(await program.health()).toMatchObject({ hungTransfers: 2, failures: 2 });
      const refused = await program.fail();
      expect(refused.message).toContain('was not tried');
      await program.readFile();

      await emulator.clearFaults();
      await until(async () => (await program.health()).hungTransfers === 0);
      expect((await program.measure()).temperatureCelsius).toBeCloseTo(22.517, 3);
    });
  });

  it('shares a chip with a second process, so that neither has to repair anything', async () => {
    const { emulator, program } = await start({ source: LIVELY });
    const other = await connect(emulator);
    const measureMany = async (one: MeasuringProgram): Promise<void> => {
      for (let reading = 0; reading < 8; reading++) {
        await one.measure();
        await sleep(PAUSE_MS);
      }
    };
    await Promise.all([measureMany(program), measureMany(other)]);
    expect(await program.health()).toMatchObject({ measurements: 8, retries: 0, crcErrors: 0 });
    expect(await other.health()).toMatchObject({ measurements: 8, retries: 0, crcErrors: 0 });
    const conversions = (await emulator.log()).filter((entry) => entry.event === 'conversion');
    expect(conversions).toHaveLength(16);
  });

  describe('looking for a chip', () => {
    it('finds one that has measured before without a new measurement', async () => {
      const { emulator, program } = await start();
      await program.measure();
      expect(await program.find()).toBe('AHT20 at 0x38 on /dev/i2c-1');
      expect(writes(await emulator.log())).toEqual(['ac3300']);
    });

    it('finds one that has just got its power', async () => {
      const { program } = await start({ justPoweredOn: true });
      expect(await program.find()).toContain('AHT20');
    });

    it.each([
      ['absent', 'I2C_NACK'],
      ['no-device', 'I2C_BUS_MISSING'],
      ['other-device', 'SENSOR_'],
    ] as const)('says why there is none: %s', async (kind, code) => {
      const { emulator, program } = await start();
      await emulator.fault(kind);
      await expect(program.find()).rejects.toThrow(code);
    });
  });
});

function writes(log: readonly LogEntry[]): readonly string[] {
  return log
    .filter((entry): entry is WriteEntry => entry.event === 'write' && entry.effect !== 'addressed')
    .map(({ bytes }) => bytes.toLowerCase());
}

async function frames(emulator: Emulator): Promise<readonly FrameEntry[]> {
  return (await emulator.log()).filter((entry): entry is FrameEntry => entry.event === 'frame');
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  await expect.poll(condition, { timeout: 100_000, interval: 5 }).toBe(true);
}
