import { statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { Delay } from '../sensor.ts';

/** A measurement takes 85 ms, one with repairs up to 3 s; a reading a little late is better than none. */
const WAIT_LIMIT_MS = 500;
/** Fits into the pause of an agent that measures every 100 ms. */
const STEP_MS = 2;

export interface SensorLockOptions {
  readonly busNumber: number;
  readonly address: number;
  readonly delay: Delay;
  readonly monotonicMs: () => number;
  /** The device file that stands for the bus. Default: `/dev/i2c-N`. */
  readonly devicePath?: string;
}

/** Keeps measurements of several processes on one sensor apart. */
export interface SensorLock {
  /**
   * Runs `task` while no other process that asks for this lock runs its own; after half a second of waiting it runs all the
   * same. Rejects as `task` does, or with the signal's reason while waiting.
   */
  runExclusive<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/**
 * The lock is a listening socket with a name in Linux's abstract namespace (`man 7 unix`): no file, no permission, and the
 * kernel frees it when its owner dies. Taking it costs 0.2 ms. Where there are no such names (other systems, a sandbox), or no
 * device file, it locks nothing: the measurement validates itself, a lock only spares it a retry. For the same reason it need
 * not hold where it can't: containers with networks of their own have names of their own (and no folder that they surely
 * share), and a stranger who takes the name costs half a second once.
 */
export function createSensorLock(options: SensorLockOptions): SensorLock {
  const { busNumber, address, delay, monotonicMs, devicePath = `/dev/i2c-${busNumber}` } = options;
  // A program that holds it for longer than any measurement is not measuring; we do not wait for it a second time.
  let patienceMs = WAIT_LIMIT_MS;

  async function take(signal: AbortSignal): Promise<Server | undefined> {
    const giveUpMs = monotonicMs() + patienceMs;
    const name = lockName(devicePath, address);
    if (name === undefined) return undefined;
    for (;;) {
      signal.throwIfAborted();
      const attempt = await listen(name);
      if (attempt !== 'taken') {
        patienceMs = WAIT_LIMIT_MS;
        return attempt;
      }
      if (monotonicMs() >= giveUpMs) {
        patienceMs = 0;
        return undefined;
      }
      await delay(STEP_MS, signal);
    }
  }

  return {
    async runExclusive(task, signal) {
      const held = await take(signal);
      try {
        return await task();
      } finally {
        if (held !== undefined) await release(held);
      }
    },
  };
}

/**
 * Named after the device itself: by its number, which is the same in every container and by every path; a plain file that
 * stands for a bus by its inode.
 */
function lockName(devicePath: string, address: number): string | undefined {
  try {
    const status = statSync(devicePath);
    const device = status.isCharacterDevice() ? `device-${status.rdev}` : `${status.dev}-${status.ino}`;
    return `\0techtemp-i2c-${device}-${address.toString(16)}`;
  } catch {
    // Opening the bus says what is wrong with it.
    return undefined;
  }
}

function listen(name: string): Promise<Server | 'taken' | undefined> {
  return new Promise((resolve) => {
    const server = createServer((visitor) => visitor.destroy());
    server.once('error', (error) => {
      resolve('code' in error && error.code === 'EADDRINUSE' ? 'taken' : undefined);
    });
    server.listen({ path: name, exclusive: true }, () => resolve(server));
    server.unref();
  });
}

function release(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
