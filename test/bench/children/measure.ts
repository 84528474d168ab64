/** Under the emulator: measures so many times and prints how long each took, in ms, without the first (it finds the chip). */
import { createAht20 } from '../../../drivers/aht20/aht20.ts';
import { createI2cBusOpener } from '../../../drivers/i2c/bus.ts';
import { createSystemClock } from '../../../src/platform/clock.ts';

const clock = createSystemClock();
const timing = { delay: clock.sleep, monotonicMs: clock.monotonicMs };
const sensor = createAht20({ ...timing, openBus: createI2cBusOpener(timing), busNumber: 1, address: 0x38 });
const { signal } = new AbortController();
const times: number[] = [];
await sensor.measure(signal);
for (let left = Number(process.argv[2]); left > 0; left -= 1) {
  const began = clock.monotonicMs();
  await sensor.measure(signal);
  times.push(clock.monotonicMs() - began);
}
await sensor.close();
process.stdout.write(JSON.stringify(times));
