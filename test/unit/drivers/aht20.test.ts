import { describe, expect, it } from 'vitest';
import { createAht20 } from '../../../drivers/aht20/aht20.ts';
import { encodeFrame, formatBytes } from '../../../drivers/aht20/frame.ts';
import type { OpenI2cBus } from '../../../drivers/i2c/bus.ts';
import type { Delay, I2cErrorCode, Sensor } from '../../../drivers/sensor.ts';
import { type ScriptedBus, scriptedBus } from '../../support/scripted-bus.ts';

const FIRST = '1C65B425CD26C6'; // 22.517 °C, 39.728 %RH
const SECOND = '1893AC952AC5B3'; // 14.588 °C, 57.685 %RH
const DAMAGED = '1C65B425CD27C6';
const BUSY = '9C65B425CD26C6';

const never = new AbortController().signal;
const lines = (...text: readonly string[]): string => text.join('\n');
const repeated = (count: number, text: string): string => Array<string>(count).fill(text).join('\n');

/** The chip answers, and says that it is calibrated: once for being there, once for its state. */
const READY = 'r1 18\nr1 18';
const OPENED = lines('open', READY);
const conversion = (...reads: readonly string[]): string =>
  lines('w AC3300', 'wait 80', ...reads.map((read) => (read.startsWith('wait') ? read : `r7 ${read}`)));
const RETRY = lines('wait 5', READY);
const SOFT_RESET = lines('w BA', 'wait 20', 'r1 18');
const REINITIALISE = lines('r1 18', 'w BE0800', 'wait 10', 'r1 18');

interface Bench {
  readonly bus: ScriptedBus;
  readonly sensor: Sensor;
}

function bench(...script: readonly string[]): Bench {
  const bus = scriptedBus(lines(...script));
  return { bus, sensor: createAht20(bus) };
}

async function measureOnce(...script: readonly string[]): Promise<Bench> {
  const made = bench(...script);
  const { temperatureCelsius } = await made.sensor.measure(never);
  expect(temperatureCelsius).toBeCloseTo(22.517, 3);
  made.bus.done();
  return made;
}

/** A sensor whose bus has long been clean, so that it reads each frame once. */
async function trusted(): Promise<Bench> {
  const made = bench('open', READY);
  for (let reading = 0; reading < 1024; reading++) {
    made.bus.expect(conversion(FIRST, FIRST));
    await made.sensor.measure(never);
  }
  made.bus.done();
  return made;
}

describe('a healthy chip', () => {
  it('gives both values, the frame as it was sent, and is described by its place', async () => {
    const { bus, sensor } = bench(OPENED, conversion(FIRST, FIRST));
    const { temperatureCelsius, humidityPercent, frame } = await sensor.measure(never);
    expect(temperatureCelsius).toBeCloseTo(22.517, 3);
    expect(humidityPercent).toBeCloseTo(39.728, 3);
    expect(formatBytes(frame)).toBe(FIRST);
    expect(sensor.description).toBe('AHT20 at 0x38 on /dev/i2c-1');
    expect(sensor.health()).toEqual({
      measurements: 1,
      failures: 0,
      crcErrors: 0,
      retries: 0,
      softResets: 0,
      reinitialisations: 0,
      busReopenings: 0,
      hungTransfers: 0,
    });
    bus.done();
  });

  it('is asked for its state before the first measurement only', async () => {
    const { bus, sensor } = await measureOnce(OPENED, conversion(FIRST, FIRST));
    bus.expect(conversion(SECOND, SECOND));
    expect((await sensor.measure(never)).temperatureCelsius).toBeCloseTo(14.588, 3);
    bus.done();
  });

  it('is polled with the frame itself while it is still busy', async () => {
    await measureOnce(OPENED, conversion(BUSY, 'wait 2', BUSY, 'wait 2', FIRST, FIRST));
  });

  it('is read once a measurement when the bus has been clean for 1024 readings, and twice again after one bad frame', async () => {
    const { bus, sensor } = await trusted();
    bus.expect(conversion(SECOND));
    await sensor.measure(never);
    bus.expect(conversion(DAMAGED, FIRST, FIRST));
    await sensor.measure(never);
    bus.expect(conversion(SECOND, SECOND));
    await sensor.measure(never);
    bus.done();
    expect(sensor.health()).toMatchObject({ crcErrors: 1, retries: 0, failures: 0 });
  });

  it('closes the bus when it is closed', async () => {
    const { bus, sensor } = await measureOnce(OPENED, conversion(FIRST, FIRST));
    bus.expect('close');
    await sensor.close();
    await sensor.close();
    bus.done();
  });
});

describe('starting a chip', () => {
  it('talks first, and waits for the power-up only while nobody acknowledges', async () => {
    await measureOnce(
      repeated(3, lines('open', 'r1 ! I2C_NACK', 'close', 'wait 20')),
      OPENED,
      conversion(FIRST, FIRST),
    );
  });

  it('initialises an AHT20 that has no calibration, after a second look at its status', async () => {
    const { sensor } = await measureOnce(
      lines('open', 'r1 10', 'r1 10', 'r1 10', 'w BE0800', 'wait 10', 'r1 18'),
      conversion(FIRST, FIRST),
    );
    expect(sensor.health().reinitialisations).toBe(0);
  });

  it('does not touch a chip for one disturbed status byte', async () => {
    await measureOnce(lines('open', 'r1 18', 'r1 00', 'r1 18'), conversion(FIRST, FIRST));
  });

  it('initialises an AHT10, which refuses the command of an AHT20', async () => {
    await measureOnce(
      lines('open', 'r1 10', 'r1 10', 'r1 10', 'w BE0800 ! I2C_NACK', 'close', 'wait 10', 'open', 'r1 10'),
      lines('w E10800', 'wait 10', 'r1 18'),
      conversion(FIRST, FIRST),
    );
  });

  it('loads the registers of a newer chip, which refuses both', async () => {
    await measureOnce(
      lines('open', 'r1 00', 'r1 00', 'r1 00', 'w BE0800 ! I2C_NACK', 'close', 'wait 10', 'open', 'r1 00'),
      lines('w E10800 ! I2C_NACK', 'close', 'wait 10', 'open', 'r1 00'),
      lines('w 1B0000', 'wait 5', 'r3 1B1234', 'wait 10', 'w BB1234'),
      lines('w 1C0000', 'wait 5', 'r3 1C5678', 'wait 10', 'w BC5678'),
      lines('w 1E0000', 'wait 5', 'r3 1E9ABC', 'wait 10', 'w BE9ABC'),
      lines('wait 10', 'r1 18'),
      conversion(FIRST, FIRST),
    );
  });

  it('takes a refused register routine for no fault where the status says calibrated', async () => {
    await measureOnce(
      lines('open', 'r1 08', 'r1 08', 'r1 08', 'w 1B0000 ! I2C_NACK', 'close', 'wait 10', 'open', 'r1 08'),
      conversion(FIRST, FIRST),
    );
  });

  it('lets a conversion end that was running before', async () => {
    await measureOnce(lines('open', 'r1 98', 'r1 98', 'wait 5', 'r1 98', 'wait 5', 'r1 18'), conversion(FIRST, FIRST));
  });
});

describe('the ladder of repair', () => {
  it('reads a damaged frame of the same conversion again, and believes two that agree', async () => {
    const { sensor } = await measureOnce(OPENED, conversion(DAMAGED, FIRST, SECOND, DAMAGED, FIRST));
    expect(sensor.health()).toMatchObject({ crcErrors: 2, retries: 0 });
  });

  it('retries after six damaged frames', async () => {
    const { sensor } = await measureOnce(
      OPENED,
      conversion(...Array<string>(6).fill(DAMAGED)),
      RETRY,
      conversion(FIRST, FIRST),
    );
    expect(sensor.health()).toMatchObject({ crcErrors: 6, retries: 1, softResets: 0, failures: 0, measurements: 1 });
  });

  it('climbs from a retry over soft reset and initialisation to a new bus, then reports, and begins anew', async () => {
    const bad = conversion(...Array<string>(6).fill(DAMAGED));
    const { bus, sensor } = bench(
      lines(OPENED, bad, RETRY, bad, SOFT_RESET, bad, REINITIALISE, bad),
      lines('close', 'open', 'w BA', 'wait 20', REINITIALISE, bad),
    );
    await expect(sensor.measure(never)).rejects.toMatchObject({
      name: 'SensorError',
      code: 'SENSOR_CRC',
      message: expect.stringMatching(
        /6 of 6 frames .* 0x38 on \/dev\/i2c-1 .*1C65B425CD27C6.*shorten the wires/,
      ) as string,
    });
    bus.done();
    expect(sensor.health()).toEqual({
      measurements: 0,
      failures: 1,
      crcErrors: 30,
      retries: 4,
      softResets: 2,
      reinitialisations: 2,
      busReopenings: 1,
      hungTransfers: 0,
    });
    bus.expect(lines(READY, conversion(FIRST, FIRST)));
    await sensor.measure(never);
    bus.done();
  });

  it('resets a chip that stays busy, within a bounded time', async () => {
    const stuck = lines('w AC3300', 'wait 80', repeated(60, `r7 ${BUSY}\nwait 2`), `r7 ${BUSY}`);
    const { bus } = await measureOnce(
      OPENED,
      stuck,
      lines('wait 5', 'r1 98', repeated(20, 'r1 98\nwait 5'), 'r1 98'),
      SOFT_RESET,
      conversion(FIRST, FIRST),
    );
    expect(bus.monotonicMs() - 1_000_000).toBeLessThan(500);
  });

  it('initialises a chip again that lost its calibration in a power glitch, whatever its checksum says', async () => {
    const uncalibrated = formatBytes(encodeFrame({ temperatureCelsius: 22.5, humidityPercent: 40 }, 0x10));
    const { sensor } = await measureOnce(
      OPENED,
      conversion(uncalibrated),
      lines('wait 5', 'r1 10', 'r1 10', 'r1 10', 'w BE0800', 'wait 10', 'r1 18'),
      conversion(FIRST, FIRST),
    );
    expect(sensor.health().reinitialisations).toBe(1);
  });

  it.each([
    ['all zeros', '00000000000000', 'SENSOR_IMPLAUSIBLE', /equal bits/],
    ['all ones', 'FFFFFFFFFFFFFF', 'SENSOR_IMPLAUSIBLE', /equal bits/],
    ['-50 °C at 0 %RH', '180000000000BC', 'SENSOR_IMPLAUSIBLE', /-50.00 °C and 0.00 %RH cannot be/],
  ])('reports a frame of %s after all repairs', async (_what, frame, code, message) => {
    const withSum = frame.startsWith('18')
      ? formatBytes(encodeFrame({ temperatureCelsius: -50, humidityPercent: 0 }))
      : frame;
    const bad = conversion(withSum);
    const { bus, sensor } = bench(
      lines(OPENED, bad, RETRY, bad, SOFT_RESET, bad, REINITIALISE, bad),
      lines('close', 'open', 'w BA', 'wait 20', REINITIALISE, bad),
    );
    await expect(sensor.measure(never)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
    bus.done();
  });

  it('opens the bus anew after every error on it', async () => {
    const { sensor } = await measureOnce(
      OPENED,
      lines('w AC3300 ! I2C_TIMEOUT', 'close', 'wait 5', 'open', READY),
      conversion(FIRST, FIRST),
    );
    expect(sensor.health()).toMatchObject({ busReopenings: 1, retries: 1 });
  });

  it('reports an absent chip, and finds it when it is back', async () => {
    const refused = (transfer: string): string => lines('open', `${transfer} ! I2C_NACK`, 'close');
    const powerUp = lines(repeated(6, lines(refused('r1'), 'wait 20')), refused('r1'));
    const { bus, sensor } = bench(lines(powerUp, 'wait 5', powerUp, refused('w BA'), refused('r1'), refused('w BA')));
    await expect(sensor.measure(never)).rejects.toMatchObject({ name: 'I2cError', code: 'I2C_NACK' });
    bus.done();
    expect(bus.monotonicMs() - 1_000_000).toBeLessThan(300);
    bus.expect(lines(OPENED, conversion(FIRST, FIRST)));
    await sensor.measure(never);
    expect(sensor.health()).toMatchObject({ failures: 1, measurements: 1 });
  });

  it.each<I2cErrorCode>(['I2C_MODULE_MISSING', 'I2C_BUS_MISSING', 'I2C_PERMISSION'])(
    'reports %s at once, and tries again at the next measurement',
    async (code) => {
      const { bus, sensor } = bench(`open ! ${code}`);
      await expect(sensor.measure(never)).rejects.toMatchObject({ code });
      bus.done();
      bus.expect(lines(OPENED, conversion(FIRST, FIRST)));
      await sensor.measure(never);
      bus.done();
    },
  );

  it.each<I2cErrorCode>(['I2C_ADDRESS_IN_USE', 'I2C_HUNG'])(
    'reports %s at once, without another transfer',
    async (code) => {
      const { bus, sensor } = bench(`open\nr1 ! ${code}\nclose`);
      await expect(sensor.measure(never)).rejects.toMatchObject({ code });
      bus.done();
    },
  );

  it('begins no transfer later than two seconds after the start, and reports what took the time', async () => {
    const bus = scriptedBus(lines(OPENED, 'w AC3300 ! I2C_FAILED', 'close', 'wait 5', 'open', 'r1 18'));
    const sensor = createAht20({
      ...bus,
      openBus: async (busNumber) => {
        bus.advance(1001);
        return bus.openBus(busNumber);
      },
    });
    await expect(sensor.measure(never)).rejects.toMatchObject({ code: 'I2C_FAILED', message: 'scripted I2C_FAILED' });
    bus.done();
    expect(sensor.health()).toMatchObject({ failures: 1, retries: 1, softResets: 0 });
  });

  it('says so when the transfers themselves take all the time', async () => {
    const bus = scriptedBus(lines(OPENED, 'w AC3300', 'wait 80'));
    const sensor = createAht20({ ...bus, openBus: lateBus(bus, { transferMs: 700 }) });
    await expect(sensor.measure(never)).rejects.toMatchObject({
      code: 'I2C_TIMEOUT',
      message: expect.stringMatching(
        /0x38 on \/dev\/i2c-1 took too long \(\d+ ms, 2100 ms of it in 3 transfers\): .* check the wires/,
      ) as string,
    });
    bus.done();
    expect(sensor.health()).toMatchObject({ failures: 1 });
  });

  it.each([
    ['its waits are late', { waitMs: 2_400 }, lines(OPENED, 'w AC3300', 'wait 80')],
    ['it notices the end of one transfer late', { transferMs: 2_300 }, lines('open', 'r1 18')],
    [
      'everything is late',
      { transferMs: 450, waitMs: 450 },
      lines(OPENED, 'w AC3300', 'wait 80', 'w AC3300', 'wait 80'),
    ],
    ['the bus is opened late', { openMs: 2_100 }, lines('open', 'r1 18')],
  ] as [string, Lateness, string][])(
    'does not blame the wires when the program was not let run: %s',
    async (_how, late, script) => {
      const bus = scriptedBus(script);
      const delay: Delay = async (ms, signal) => {
        await bus.delay(ms, signal);
        bus.advance(late.waitMs ?? 0);
      };
      const sensor = createAht20({ ...bus, delay, openBus: lateBus(bus, late) });
      await expect(sensor.measure(never)).rejects.toMatchObject({
        code: 'SENSOR_NO_TIME',
        message: expect.stringContaining('the sensor and its wires are not the cause') as string,
      });
      expect(sensor.health()).toMatchObject({ failures: 0, retries: 0, softResets: 0, busReopenings: 0 });
    },
  );
});

describe('the time of a measurement', () => {
  it('is that of its trigger and the conversion, however late the program reads the frame', async () => {
    const bus = scriptedBus(lines(OPENED, conversion(FIRST, FIRST)));
    let triggeredMs = 0;
    const delay: Delay = async (ms, signal) => {
      triggeredMs = bus.monotonicMs();
      await bus.delay(ms, signal);
      bus.advance(1_800);
    };
    const { taken } = await createAht20({ ...bus, delay }).measure(never);
    expect(taken).toEqual({ endedMs: triggeredMs + 80, uncertaintyMs: 0 });
    bus.done();
  });

  it('is found anew with another trigger when the end of the first was noticed late', async () => {
    const bus = scriptedBus(lines(OPENED, 'w AC3300', 'wait 80', conversion(FIRST, FIRST)));
    const { taken } = await createAht20({ ...bus, openBus: lateBus(bus, { firstWriteMs: 600 }) }).measure(never);
    expect(taken?.uncertaintyMs).toBe(0);
    bus.done();
  });

  it('says how rough it is when that does not help', async () => {
    const again = repeated(2, lines('w AC3300', 'wait 80'));
    const bus = scriptedBus(lines(OPENED, again, conversion(FIRST, FIRST)));
    const { taken } = await createAht20({ ...bus, openBus: lateBus(bus, { writeMs: 300 }) }).measure(never);
    expect(taken?.uncertaintyMs).toBe(300);
    bus.done();
  });
});

interface Lateness {
  readonly waitMs?: number;
  readonly openMs?: number;
  readonly transferMs?: number;
  readonly writeMs?: number;
  readonly firstWriteMs?: number;
}

/** Opens a bus whose transfers take, or seem to take, that long. */
function lateBus(
  bus: ScriptedBus,
  { openMs = 0, transferMs = 0, writeMs = 0, firstWriteMs = 0 }: Lateness,
): OpenI2cBus {
  let left = firstWriteMs;
  return async (busNumber) => {
    bus.advance(openMs);
    const opened = await bus.openBus(busNumber);
    return {
      ...opened,
      write: async (address, bytes) => {
        bus.advance(transferMs + writeMs + left);
        left = 0;
        await opened.write(address, bytes);
      },
      read: async (address, length) => {
        bus.advance(transferMs);
        return await opened.read(address, length);
      },
    };
  };
}

describe('a chip that repeats itself', () => {
  it('is reset and then reported after 20 equal readings over two hours, and believed again when it moves', async () => {
    const { bus, sensor } = await measureOnce(OPENED, conversion(FIRST, FIRST));
    for (let reading = 1; reading < 20; reading++) {
      bus.expect(conversion(FIRST, FIRST));
      bus.advance(370_000);
      await sensor.measure(never);
    }
    bus.advance(370_000);
    bus.expect(lines(conversion(FIRST, FIRST), SOFT_RESET, conversion(FIRST, FIRST)));
    await expect(sensor.measure(never)).rejects.toMatchObject({
      code: 'SENSOR_FROZEN',
      message: expect.stringContaining('22.52 °C and 39.73 %RH') as string,
    });
    bus.done();
    bus.expect(lines(READY, conversion(FIRST, FIRST), SOFT_RESET, conversion(SECOND, SECOND)));
    expect((await sensor.measure(never)).temperatureCelsius).toBeCloseTo(14.588, 3);
    bus.done();
    expect(sensor.health()).toMatchObject({ failures: 1, softResets: 2, measurements: 21 });
  });

  it('is believed when it says the same again much later', async () => {
    const { bus, sensor } = await measureOnce(OPENED, conversion(FIRST, FIRST));
    bus.advance(24 * 3_600_000);
    bus.expect(conversion(FIRST, FIRST));
    await sensor.measure(never);
    bus.done();
  });

  it('is believed over a thousand equal readings in a still room within a short time', async () => {
    const { sensor } = await trusted();
    expect(sensor.health()).toMatchObject({ measurements: 1024, softResets: 0 });
  });
});

describe('a frame that ends as if the line were stuck', () => {
  const ending = (checksum: string, humidityPercent: number): string => {
    for (let step = 0; ; step++) {
      const hex = formatBytes(encodeFrame({ temperatureCelsius: 20 + step / 5000, humidityPercent }));
      if (hex.endsWith(`${checksum.slice(1)}${checksum}`)) return hex;
    }
  };
  const six = (hex: string): string => conversion(...Array<string>(6).fill(hex));

  it.each(['00', 'FF'])('with %s is believed on six equal reads while the bus is fine', async (checksum) => {
    const frame = ending(checksum, 50);
    const { bus, sensor } = bench(OPENED, six(frame));
    expect(formatBytes((await sensor.measure(never)).frame)).toBe(frame);
    bus.expect(six(frame));
    await sensor.measure(never);
    bus.done();
  });

  it('is not believed after a failure, since a line that really sticks would make them equal, too', async () => {
    const { bus, sensor } = bench(
      OPENED,
      six(DAMAGED),
      RETRY,
      six(ending('00', 50)),
      SOFT_RESET,
      six(ending('FF', 50)),
    );
    bus.expect(lines(REINITIALISE, conversion(FIRST, FIRST)));
    expect((await sensor.measure(never)).temperatureCelsius).toBeCloseTo(22.517, 3);
    bus.done();
  });

  it('is believed after all when three conversions say the same', async () => {
    const frame = ending('00', 50);
    const { bus, sensor } = bench(
      OPENED,
      six(DAMAGED),
      RETRY,
      six(frame),
      SOFT_RESET,
      six(frame),
      REINITIALISE,
      six(frame),
    );
    expect(formatBytes((await sensor.measure(never)).frame)).toBe(frame);
    bus.done();
  });

  it('is not believed when one read of it was damaged', async () => {
    const frame = ending('00', 50);
    const { bus, sensor } = bench(OPENED, conversion(DAMAGED, frame, frame, frame, frame, frame), RETRY);
    bus.expect(conversion(FIRST, FIRST));
    expect((await sensor.measure(never)).temperatureCelsius).toBeCloseTo(22.517, 3);
    bus.done();
  });
});

describe('a chip without checksum (AHT10)', () => {
  const bare = (hex: string): string => `${hex.slice(0, 12)}FF`;
  const six = (hex: string): string => conversion(...Array<string>(6).fill(bare(hex)));

  it('is recognised, too, when it says its last byte again', async () => {
    const again = (hex: string): string => hex.slice(0, 12) + hex.slice(10, 12);
    const sixAgain = (hex: string): string => conversion(...Array<string>(6).fill(again(hex)));
    const { bus, sensor } = bench(OPENED, sixAgain(FIRST), RETRY, sixAgain(SECOND), SOFT_RESET, sixAgain(FIRST));
    expect((await sensor.measure(never)).temperatureCelsius).toBeCloseTo(22.517, 3);
    bus.done();
  });

  it('is recognised after three conversions whose reads agree, and then believed on two', async () => {
    const { bus, sensor } = bench(OPENED, six(FIRST), RETRY, six(SECOND), SOFT_RESET, six(FIRST));
    const { temperatureCelsius, frame } = await sensor.measure(never);
    expect(temperatureCelsius).toBeCloseTo(22.517, 3);
    expect(formatBytes(frame)).toBe(FIRST.slice(0, 12));
    bus.expect(conversion(bare(SECOND), bare(SECOND)));
    expect((await sensor.measure(never)).temperatureCelsius).toBeCloseTo(14.588, 3);
    bus.done();
    expect(sensor.health()).toMatchObject({ crcErrors: 18, measurements: 2 });
  });

  it('is not believed when two reads of one conversion differ', async () => {
    const { bus, sensor } = bench(OPENED, six(FIRST), RETRY, six(FIRST), SOFT_RESET, six(FIRST));
    await sensor.measure(never);
    bus.expect(lines(conversion(bare(SECOND), bare(FIRST)), RETRY, conversion(bare(SECOND), bare(SECOND))));
    expect((await sensor.measure(never)).temperatureCelsius).toBeCloseTo(14.588, 3);
    bus.done();
  });

  it('is asked twice for ever, also when FF happens to be the right checksum', async () => {
    const lucky = luckyFrame();
    const { bus, sensor } = bench(OPENED, six(FIRST), RETRY, six(FIRST), SOFT_RESET, six(FIRST));
    await sensor.measure(never);
    for (let reading = 0; reading < 1024; reading++) {
      bus.expect(conversion(bare(SECOND), bare(SECOND)));
      await sensor.measure(never);
    }
    bus.expect(lines(conversion(lucky, lucky), conversion(bare(SECOND), bare(SECOND))));
    await sensor.measure(never);
    await sensor.measure(never);
    bus.done();
  });

  it('is never what an AHT20 is taken for, once that has shown a checksum', async () => {
    const { bus, sensor } = await measureOnce(OPENED, conversion(FIRST, FIRST));
    const bad = six(SECOND);
    bus.expect(lines(bad, RETRY, bad, SOFT_RESET, bad, REINITIALISE, bad));
    bus.expect(lines('close', 'open', 'w BA', 'wait 20', REINITIALISE, bad));
    await expect(sensor.measure(never)).rejects.toMatchObject({ code: 'SENSOR_CRC' });
    bus.done();
  });

  it('is not what a line is taken for that goes dead in the middle of each frame', async () => {
    const cut = six(`${FIRST.slice(0, 8)}FFFF`);
    const { bus, sensor } = bench(
      lines(OPENED, cut, RETRY, cut, SOFT_RESET, cut, REINITIALISE, cut),
      lines('close', 'open', 'w BA', 'wait 20', REINITIALISE, cut),
    );
    await expect(sensor.measure(never)).rejects.toMatchObject({ code: 'SENSOR_CRC' });
    bus.done();
  });

  function luckyFrame(): string {
    for (let step = 0; ; step++) {
      const hex = formatBytes(encodeFrame({ temperatureCelsius: 20 + step / 1000, humidityPercent: 50 }));
      if (hex.endsWith('FF')) return hex;
    }
  }
});

describe('stopping', () => {
  it('ends between two transfers, with the reason that was given', async () => {
    const { bus } = bench('open', READY, 'w AC3300', 'wait 80');
    const stop = new AbortController();
    const sensor = createAht20({
      ...bus,
      delay: async (ms, signal) => {
        await bus.delay(ms, signal);
        if (ms === 80) stop.abort(new Error('stopped'));
      },
    });
    await expect(sensor.measure(stop.signal)).rejects.toThrow('stopped');
    bus.done();
    expect(sensor.health().failures).toBe(0);
  });

  it('does nothing when it is over before it begins', async () => {
    const { bus, sensor } = bench();
    await expect(sensor.measure(AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
    bus.done();
  });
});

describe('the lock', () => {
  it('is held for a whole measurement with its repairs', async () => {
    const log: string[] = [];
    const { bus } = bench(OPENED, conversion('00000000000000'), RETRY, conversion(FIRST, FIRST));
    const sensor = createAht20({
      ...bus,
      delay: async (ms, signal) => {
        log.push(`wait ${ms}`);
        await bus.delay(ms, signal);
      },
      lock: {
        runExclusive: async (task) => {
          log.push('taken');
          try {
            return await task();
          } finally {
            log.push('released');
          }
        },
      },
    });
    await sensor.measure(never);
    expect(log).toEqual(['taken', 'wait 80', 'wait 5', 'wait 80', 'released']);
  });
});
