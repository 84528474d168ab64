import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { setTimeout as sleepTimer } from 'node:timers/promises';
import type { Clock, Random } from './clock.ts';

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
