import { Mutex } from 'async-mutex';
import { type Delay, I2cError } from '../sensor.ts';

/**
 * A transfer that never returns pins one thread of libuv's pool (4 by default, shared with the journal's fdatasync), and no
 * call takes it back. Two may hang; a third would leave the rest of the program with one thread.
 */
const MAX_HUNG = 2;
/**
 * The time limit is waited for in pieces: after the process was stopped, or its loop blocked, for longer than the limit, one
 * piece is over at once, and the answer that has long been there still comes before the last one ends.
 */
const DEADLINE_PIECES = 4;

export interface TransferGuardOptions {
  /** For messages, e.g. `/dev/i2c-1`. */
  readonly path: string;
  readonly timeoutMs: number;
  readonly delay: Delay;
  readonly monotonicMs: () => number;
}

/** Lets one transfer at a time on a bus, each for a limited time. One per device file, for as long as the program runs. */
export interface TransferGuard {
  /**
   * Runs `work` when its turn comes. Rejects as `work` does, or after the time limit, or at once while too many hang.
   * @param what for the message, e.g. `reading 7 bytes from 0x38`
   * @throws I2cError I2C_HUNG
   */
  run<T>(what: string, work: () => Promise<T>): Promise<T>;
  /** Transfers that were given up on and have not returned yet. */
  hung(): number;
  /** Resolves when none of those that hang now hangs any more; perhaps never. */
  allReturned(): Promise<void>;
}

/**
 * Invariants of the mutex: held for one transfer, so at most for the time limit; never while another is asked for; nothing
 * outside this file can take it.
 */
export function createTransferGuard(options: TransferGuardOptions): TransferGuard {
  const { path, timeoutMs, delay, monotonicMs } = options;
  const mutex = new Mutex();
  const hanging = new Map<Promise<unknown>, number>();

  async function runAlone<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (hanging.size >= MAX_HUNG) throw refusal(what);
    const startedMs = monotonicMs();
    const timer = new AbortController();
    const transfer = work();
    const timeUp = Symbol('time up');
    try {
      const outcome = await Promise.race([transfer, deadline(timer.signal).then(() => timeUp)]);
      if (outcome !== timeUp) return outcome as T;
    } finally {
      timer.abort();
    }
    hanging.set(transfer, startedMs);
    const returned = () => hanging.delete(transfer);
    transfer.then(returned, returned);
    throw new I2cError('I2C_HUNG', `${what} on ${path} did not return within ${timeoutMs} ms; ${REMEDY}`);
  }

  async function deadline(signal: AbortSignal): Promise<void> {
    for (let piece = 0; piece < DEADLINE_PIECES; piece++) await delay(timeoutMs / DEADLINE_PIECES, signal);
  }

  function refusal(what: string): I2cError {
    const oldestMs = monotonicMs() - Math.min(...hanging.values());
    return new I2cError(
      'I2C_HUNG',
      `${what} on ${path} was not tried: ${hanging.size} transfers have not returned, the oldest for ` +
        `${(oldestMs / 1000).toFixed(1)} s; ${REMEDY}`,
    );
  }

  return {
    run: (what, work) => mutex.runExclusive(() => runAlone(what, work)),
    hung: () => hanging.size,
    allReturned: async () => {
      await Promise.allSettled(hanging.keys());
    },
  };
}

const REMEDY = 'the bus driver is stuck: check wires and power of the sensor, and restart the machine if it stays so';
