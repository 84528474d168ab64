import { describe, expect, it } from 'vitest';
import { findAht20 } from '../../../drivers/aht20/aht20.ts';
import { scriptedBus } from '../../support/scripted-bus.ts';

const never = new AbortController().signal;
const FRAME = '1C65B425CD26C6';
const MEASUREMENT = `open\nr1 18\nr1 18\nw AC3300\nwait 80\nr7 ${FRAME}\nr7 ${FRAME}`;

describe('findAht20', () => {
  it('knows a chip by the frame of its last measurement, without a new one', async () => {
    const bus = scriptedBus(`open\nr7 ${FRAME}\nclose`);
    const found = await findAht20(bus, never);
    bus.done();
    if (!found.found) throw found.reason;
    expect(found.sensor.description).toBe('AHT20 at 0x38 on /dev/i2c-1');
    expect(found.sensor.health().measurements).toBe(0);
  });

  it.each([
    ['has not measured since power-on', 'r7 18000000000000'],
    ['is still starting', 'r7 ! I2C_NACK'],
    ['is on a disturbed line', 'r7 ! I2C_FAILED'],
  ])('asks a chip for a measurement that %s', async (_what, first) => {
    const bus = scriptedBus(`open\n${first}\nclose\n${MEASUREMENT}`);
    expect((await findAht20(bus, never)).found).toBe(true);
    bus.done();
  });

  it('takes nothing for a sensor that only acknowledges', async () => {
    const busy = `r1 FF\n${'wait 5\nr1 FF\n'.repeat(20)}`;
    const bus = scriptedBus(
      `open\nr7 FFFFFFFFFFFFFF\nclose\nopen\nr1 FF\n${busy}wait 5\nr1 FF\n${busy}w BA\nwait 20\n${busy}`,
    );
    bus.expect(`${busy}close\nopen\nw BA\nwait 20\n${busy}close`);
    const found = await findAht20(bus, never);
    bus.done();
    expect(found).toMatchObject({ found: false, reason: { code: 'SENSOR_BUSY' } });
  });

  it.each(['I2C_MODULE_MISSING', 'I2C_BUS_MISSING', 'I2C_PERMISSION'])(
    'says %s where there is no way to it',
    async (code) => {
      const bus = scriptedBus(`open ! ${code}`);
      expect(await findAht20(bus, never)).toMatchObject({ found: false, reason: { code } });
      bus.done();
    },
  );

  it('does not try twice what hangs', async () => {
    const bus = scriptedBus('open\nr7 ! I2C_HUNG\nclose');
    expect(await findAht20(bus, never)).toMatchObject({ found: false, reason: { code: 'I2C_HUNG' } });
    bus.done();
  });

  it('ends with the reason of whoever stops it', async () => {
    await expect(findAht20(scriptedBus(), AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
  });
});
