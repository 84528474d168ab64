import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { type Aht20Options, createAht20, findAht20 } from '../../../drivers/aht20/aht20.ts';
import { createI2cBusOpener } from '../../../drivers/i2c/bus.ts';
import { createSensorLock } from '../../../drivers/i2c/lock.ts';
import { I2cError, SensorError } from '../../../drivers/sensor.ts';
import { createSystemClock } from '../../../src/platform/clock.ts';
import type { MeasuringAnswer, MeasuringOp, MeasuringRequest } from '../measuring-program.ts';

// The real driver on the real i2c-bus; does what it is told on standard input, one line each, without waiting in between.
let offsetMs = 0;
const monotonicMs = (): number => performance.now() + offsetMs;
// The agent's own: a bare timer may end a little early on a busy machine, when the chip does not answer yet.
const { sleep: delay } = createSystemClock();
const never = new AbortController().signal;
/** After the trigger, before the conversion is over. */
const INTO_CONVERSION_MS = 40;

const place = { busNumber: Number(process.argv[2]), address: 0x38, delay, monotonicMs };
const options: Aht20Options = {
  ...place,
  openBus: createI2cBusOpener({ delay, monotonicMs }),
  // A busy machine may keep the other process from ending its measurement in half a second; here it is given twenty.
  lock: createSensorLock({ ...place, monotonicMs: () => monotonicMs() / 40 }),
};
const sensor = createAht20(options);

const operations: Readonly<Record<MeasuringOp, (argument: number) => unknown>> = {
  measure: async (stallMs) => {
    if (stallMs > 0) void delay(INTO_CONVERSION_MS).then(() => stall(stallMs));
    const { frame, taken, ...values } = await sensor.measure(never);
    const ageMs = monotonicMs() - (taken?.endedMs ?? monotonicMs());
    const endedNs = Number(process.hrtime.bigint()) - ageMs * 1e6;
    return { ...values, frame: Buffer.from(frame).toString('hex'), endedNs, uncertaintyMs: taken?.uncertaintyMs };
  },
  find: async () => {
    const found = await findAht20(options, never);
    if (!found.found) throw found.reason;
    return found.sensor.description;
  },
  health: () => sensor.health(),
  advance: (ms) => {
    offsetMs += ms;
  },
  'read-file': async () => (await readFile('/etc/hostname')).length >= 0,
  close: () => sensor.close(),
};

/** Keeps the program from doing anything. */
function stall(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

for await (const line of createInterface(process.stdin)) void answer(JSON.parse(line) as MeasuringRequest);

async function answer({ id, op, argument }: MeasuringRequest): Promise<void> {
  const startMs = performance.now();
  const outcome = await Promise.resolve(argument)
    .then(operations[op])
    .then(
      (value) => ({ value }),
      (error: unknown) => ({
        error: {
          code: error instanceof SensorError || error instanceof I2cError ? error.code : 'NOT_OURS',
          message: String(error),
        },
      }),
    );
  const reply: MeasuringAnswer = { id, tookMs: performance.now() - startMs, ...outcome };
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
