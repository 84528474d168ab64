import type { I2cBus, OpenI2cBus } from '../i2c/bus.ts';
import { type Delay, I2cError, SensorError } from '../sensor.ts';

export interface Aht20LinkOptions {
  readonly openBus: OpenI2cBus;
  readonly busNumber: number;
  readonly address: number;
  readonly delay: Delay;
  readonly monotonicMs: () => number;
}

/** One measurement's way to the chip. Each call looks at the signal and the time first; a transfer once begun is finished. */
export interface ChipTransport {
  /** @returns the monotonic time just before the transfer, and as soon as the program noticed its end */
  write(bytes: readonly number[]): Promise<{ readonly beganMs: number; readonly endedMs: number }>;
  read(length: number): Promise<Uint8Array>;
  wait(ms: number): Promise<void>;
}

/** Less than this is not what makes a measurement late: a transfer takes 1 ms, and Linux gives one up after 1000 ms. */
const SLOW_TRANSFERS_MS = 500;
const LONGEST_TRANSFER_MS = 1_200;
/** Where the timers of the program are late by more than a third of what its transfers take, the program is late, not the bus. */
const MOSTLY = 3;

/**
 * Where the time of one measurement went: into transfers, or into a program that was not let run. A transfer that succeeded after
 * more than a bus allows has long been over when it was noticed, so it does not count.
 */
class TimeAccount {
  private transfers = 0;
  private transfersMs = 0;
  private waits = 0;
  private lateMs = 0;

  transfer(tookMs: number): void {
    this.transfers++;
    if (tookMs <= LONGEST_TRANSFER_MS) this.transfersMs += tookMs;
  }

  wait(askedMs: number, tookMs: number): void {
    this.waits++;
    this.lateMs += Math.max(0, tookMs - askedMs);
  }

  /** Why the measurement at that place took so long. */
  explain(place: string, tookMs: number): I2cError | SensorError {
    const { transfers, transfersMs, waits, lateMs } = this;
    const shares = `${tookMs.toFixed(0)} ms, ${transfersMs.toFixed(0)} ms of it in ${transfers} transfers`;
    const isBus = transfersMs >= SLOW_TRANSFERS_MS && transfersMs / transfers > (MOSTLY * lateMs) / Math.max(1, waits);
    return isBus
      ? new I2cError(
          'I2C_TIMEOUT',
          `the chip at ${place} took too long (${shares}): the transfers are slow, check the wires`,
        )
      : new SensorError(
          'SENSOR_NO_TIME',
          `the measurement at ${place} took too long (${shares}): this machine was too busy to let the program run; the sensor and its wires are not the cause`,
        );
  }
}

/**
 * The line to one chip. Opens the bus when it is needed, and lets go of it after any error, since a bus is spent then
 * (drivers/i2c/bus.ts); the next transfer opens it again.
 */
export class Aht20Link {
  private readonly options: Aht20LinkOptions;
  private bus: I2cBus | undefined;
  /** Counts what hangs on the path, also while no bus is open. */
  private lastBus: I2cBus | undefined;
  private openings = 0;

  constructor(options: Aht20LinkOptions) {
    this.options = options;
  }

  /** For people, e.g. `0x38 on /dev/i2c-1`. */
  get place(): string {
    const { address, busNumber } = this.options;
    return `0x${address.toString(16).padStart(2, '0')} on ${this.lastBus?.path ?? `/dev/i2c-${busNumber}`}`;
  }

  get reopenings(): number {
    return Math.max(0, this.openings - 1);
  }

  get hungTransfers(): number {
    return this.lastBus?.hungTransfers() ?? 0;
  }

  /**
   * @param signal aborts between two transfers, never in one: a chip left in the middle of a byte holds SDA low
   * @param lastStartMs monotonic time after which no transfer begins any more
   */
  talk(signal: AbortSignal, lastStartMs: number): ChipTransport {
    const { address, delay, monotonicMs } = this.options;
    const account = new TimeAccount();
    const startedMs = monotonicMs();
    const timed = async <T>(run: (bus: I2cBus) => Promise<T>) => {
      signal.throwIfAborted();
      if (monotonicMs() > lastStartMs) throw account.explain(this.place, monotonicMs() - startedMs);
      const bus = await this.opened();
      const beganMs = monotonicMs();
      try {
        const answer = await this.transfer(() => run(bus));
        return { answer, beganMs, endedMs: monotonicMs() };
      } finally {
        account.transfer(monotonicMs() - beganMs);
      }
    };
    return {
      write: async (bytes) => await timed((bus) => bus.write(address, Uint8Array.from(bytes))),
      read: async (length) => (await timed((bus) => bus.read(address, length))).answer,
      wait: async (ms) => {
        const beganMs = monotonicMs();
        await delay(ms, signal);
        account.wait(ms, monotonicMs() - beganMs);
      },
    };
  }

  /** Lets go of the bus; never fails. */
  async drop(): Promise<void> {
    const { bus } = this;
    this.bus = undefined;
    try {
      await bus?.close();
    } catch {
      // It is given up either way, and opening it again says what is wrong with it.
    }
  }

  private async opened(): Promise<I2cBus> {
    return this.bus ?? (await this.transfer(() => this.open()));
  }

  private async transfer<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      await this.drop();
      throw error;
    }
  }

  private async open(): Promise<I2cBus> {
    const bus = await this.options.openBus(this.options.busNumber);
    this.bus = bus;
    this.lastBus = bus;
    this.openings++;
    return bus;
  }
}
