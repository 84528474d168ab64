import type { I2cBus, OpenI2cBus } from './bus.ts';
import { type Delay, I2cError } from './sensor.ts';

export interface Aht20LinkOptions {
  readonly openBus: OpenI2cBus;
  readonly busNumber: number;
  readonly address: number;
  readonly delay: Delay;
  readonly monotonicMs: () => number;
}

/** One measurement's way to the chip. Each call looks at the signal and the time first; a transfer once begun is finished. */
export interface Talk {
  write(bytes: readonly number[]): Promise<void>;
  read(length: number): Promise<Uint8Array>;
  wait(ms: number): Promise<void>;
}

/**
 * The line to one chip. Opens the bus when it is needed, and lets go of it after any error, since a bus is spent then
 * (drivers/i2c-bus.ts); the next transfer opens it anew.
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
  talk(signal: AbortSignal, lastStartMs: number): Talk {
    const { address, delay, monotonicMs } = this.options;
    const checkLimits = (): void => {
      signal.throwIfAborted();
      if (monotonicMs() <= lastStartMs) return;
      throw new I2cError(
        'I2C_TIMEOUT',
        `the chip at ${this.place} took too long: the transfers are slow, check the wires`,
      );
    };
    return {
      write: async (bytes) => {
        checkLimits();
        await this.transfer((bus) => bus.write(address, Uint8Array.from(bytes)));
      },
      read: async (length) => {
        checkLimits();
        return this.transfer((bus) => bus.read(address, length));
      },
      wait: (ms) => delay(ms, signal),
    };
  }

  /** Lets go of the bus; never fails. */
  async drop(): Promise<void> {
    const { bus } = this;
    this.bus = undefined;
    try {
      await bus?.close();
    } catch {
      // It is given up either way, and opening it anew says what is wrong with it.
    }
  }

  private async transfer<T>(run: (bus: I2cBus) => Promise<T>): Promise<T> {
    try {
      return await run(this.bus ?? (await this.open()));
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
