/**
 * The real agent on a clock that passes `TECHTEMP_TEST_SPEED` times as fast, for tests that need days. Everything else is what
 * `techtemp-device run --config FILE` would do. Wall and monotonic time are scaled from fixed points, so that several processes
 * of one test agree on the time, as processes of one boot do.
 */

import { runDevice } from '../../../src/device/commands/run.ts';
import { type Clock, createSystemClock } from '../../../src/platform/clock.ts';
import { installSignals } from '../../../src/platform/signals.ts';

/** Sleeps from here on are limits to what the machine may take (a transfer, a connection): those are in the machine's own time. */
const LIMIT_MS = 1_000;
/** A conversion takes 80 ms, a reset 20. */
const LONGEST_CHIP_WAIT_MS = 100;

const signals = installSignals(process);
const speed = Number(process.env['TECHTEMP_TEST_SPEED'] ?? '1');
/** The emulated chip may be quicker still than the agent's clock: see `conversionMs` of the emulator. */
const chipSpeed = Number(process.env['TECHTEMP_TEST_CHIP_SPEED'] ?? speed);
const wallAnchorMs = Number(process.env['TECHTEMP_TEST_WALL_ANCHOR'] ?? Date.now());

const real = createSystemClock();
// The chip's conversion is compressed too, but not what a transfer may take: that is the machine's own time.
const sensorClock: Clock = {
  ...real,
  sleep: async (ms, signal) => await real.sleep(ms <= LONGEST_CHIP_WAIT_MS ? ms / chipSpeed : ms, signal),
};
const clock: Clock = {
  bootId: real.bootId,
  nowMs: () => wallAnchorMs + (real.nowMs() - wallAnchorMs) * speed,
  monotonicMs: () => real.monotonicMs() * speed,
  suspendedMs: real.suspendedMs,
  sleep: async (ms, signal) => await real.sleep(ms < LIMIT_MS ? ms / speed : ms, signal),
};
const { exitCode } = await runDevice(
  { configPath: process.argv[2]!, flags: {}, env: process.env, clock, sensorClock },
  signals,
);
process.exitCode = exitCode;
