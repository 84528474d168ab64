import { setTimeout as sleep } from 'node:timers/promises';
import { createSensorLock } from '../../../drivers/i2c/lock.ts';

// Another process that measures, for ever: takes the lock of the device file given, says so, and keeps it until it is ended.
const lock = createSensorLock({
  busNumber: 1,
  address: 0x38,
  devicePath: process.argv[2] ?? '',
  delay: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
  monotonicMs: () => performance.now(),
});
await lock.runExclusive(async () => {
  process.stdout.write('held\n');
  await sleep(600_000);
}, new AbortController().signal);
