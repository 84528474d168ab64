/**
 * The real agent on a clock that passes `TECHTEMP_TEST_SPEED` times as fast, for tests that need days. Everything else is what
 * `techtemp-device run --config FILE` would do. Wall and monotonic time are scaled from fixed points, so that several processes
 * of one test agree on the time, as processes of one boot do.
 */

import type { Clock } from '../../../src/common/clock.ts';
import { installSignals } from '../../../src/common/signals.ts';
import { createSystemClock } from '../../../src/common/system-clock.ts';
import { runDevice } from '../../../src/device/commands/run.ts';

const signals = installSignals(process);
const speed = Number(process.env['TECHTEMP_TEST_SPEED'] ?? '1');
const wallAnchorMs = Number(process.env['TECHTEMP_TEST_WALL_ANCHOR'] ?? Date.now());

const { exitCode } = await runDevice(
  { configPath: process.argv[2]!, flags: {}, env: process.env, clock: compressedClock(createSystemClock()) },
  signals,
);
process.exitCode = exitCode;

function compressedClock(real: Clock): Clock {
  return {
    bootId: real.bootId,
    nowMs: () => wallAnchorMs + (real.nowMs() - wallAnchorMs) * speed,
    monotonicMs: () => real.monotonicMs() * speed,
    sleep: async (ms, signal) => await real.sleep(ms / speed, signal),
  };
}
