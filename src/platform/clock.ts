import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { setTimeout as sleepTimer } from 'node:timers/promises';

/**
 * Time as the programs see it. src/platform/clock.ts is the only place that asks the machine. The functions may be
 * passed on by themselves, such as `sleep` to a driver.
 */
export interface Clock {
  /** Wall clock, epoch ms UTC. For stamping only; it may jump. */
  readonly nowMs: () => number;
  /** CLOCK_MONOTONIC in ms with fractions: the same for all processes of one boot, never jumps. For every interval. */
  readonly monotonicMs: () => number;
  /** How long this machine was suspended since it was started, in ms, to some 10 ms: CLOCK_MONOTONIC stands still then. */
  readonly suspendedMs: () => number;
  /** Names this boot of the machine; a new one after every start of it. */
  readonly bootId: string;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. Leaves no listener behind. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** Uniform in [0, 1), as Math.random. */
export type Random = () => number;

const NS_PER_MS = 1e6;
const MS_PER_SECOND = 1_000;
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';
/** setTimeout's own limit; longer sleeps are taken in pieces. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export function createSystemClock(): Clock {
  return { bootId: readBootId(), nowMs: Date.now, monotonicMs, suspendedMs, sleep };
}

export const systemRandom: Random = Math.random;

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / NS_PER_MS;
}

/** CLOCK_BOOTTIME, which libuv takes for the uptime, goes on while the machine is suspended. */
function suspendedMs(): number {
  return Math.max(0, uptime() * MS_PER_SECOND - monotonicMs());
}

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const end = monotonicMs() + ms;
  for (let left = ms; left > 0; left = end - monotonicMs()) {
    try {
      await sleepTimer(Math.min(left, MAX_TIMER_MS), undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      // timers/promises rejects with its own AbortError; callers want the reason that was given.
      signal?.throwIfAborted();
      throw error;
    }
  }
  signal?.throwIfAborted();
}

/** Linux names each boot; elsewhere (a developer's machine) the process stands for the boot. */
function readBootId(): string {
  try {
    return readFileSync(BOOT_ID_FILE, 'utf8').trim();
  } catch {
    return `process-${process.pid}-${Date.now()}`;
  }
}
