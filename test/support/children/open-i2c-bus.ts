import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { createI2cBusOpener } from '../../../drivers/i2c/bus.ts';
import { I2cError } from '../../../drivers/sensor.ts';

// Opens bus 1 below the prefix given and says how that ended; to its parent in a worker, else on standard output.
const open = createI2cBusOpener({
  delay: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
  monotonicMs: () => performance.now(),
  devicePrefix: process.argv[2] ?? '',
});
const outcome = await open(1).then(
  () => 'opened',
  (error: unknown) => (error instanceof I2cError ? `${error.code}: ${error.message}` : String(error)),
);
if (parentPort === null) process.stdout.write(outcome);
else parentPort.postMessage(outcome);
