import { open as openFile } from 'node:fs/promises';
import { isMainThread } from 'node:worker_threads';
import { type Delay, I2cError } from '../sensor.ts';
import { translateI2cError, translateLoadError } from './errors.ts';
import { createTransferGuard, type TransferGuard } from './guard.ts';

/** The three things a driver needs of an I2C bus. drivers/i2c/bus.ts is the implementation on /dev/i2c-N. */
export interface I2cBus {
  /** For people, e.g. `/dev/i2c-1`. */
  readonly path: string;
  /**
   * One transfer to the device at a 7-bit address. Transfers on one bus never overlap; each is bounded in time.
   * @throws I2cError
   */
  write(address: number, bytes: Uint8Array): Promise<void>;
  /** Reads exactly `length` bytes. @throws I2cError (I2C_SHORT_TRANSFER when fewer came) */
  read(address: number, length: number): Promise<Uint8Array>;
  /** Transfers that were given up on after the deadline and have not returned yet. */
  hungTransfers(): number;
  close(): Promise<void>;
}

/** Opens `/dev/i2c-{busNumber}` and proves that the device file can be opened. @throws I2cError */
export type OpenI2cBus = (busNumber: number) => Promise<I2cBus>;

const DEVICE_PREFIX = '/dev/i2c-';
/** Linux ends a transfer after 1 s with ETIMEDOUT (default of i2c_register_adapter); ours comes later, for drivers that do not. */
const TRANSFER_TIMEOUT_MS = 1200;

/** The one object of the native package that is used. Its transfers have no time limit and do not wait for each other. */
export interface NativeI2cBus {
  i2cWrite(address: number, length: number, buffer: Buffer): Promise<{ readonly bytesWritten: number }>;
  i2cRead(address: number, length: number, buffer: Buffer): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
}
export type LoadNativeI2c = () => Promise<(busNumber: number) => Promise<NativeI2cBus>>;

export interface I2cBusOptions {
  readonly delay: Delay;
  readonly monotonicMs: () => number;
  /** Limit for one transfer in ms, the opening of the device file included. Default 1200. */
  readonly transferTimeoutMs?: number;
  /** Where the device files are. Default `/dev/i2c-`. */
  readonly devicePrefix?: string;
  /** Default: the optional package i2c-bus, loaded when the first bus is opened. */
  readonly loadNative?: LoadNativeI2c;
}

/**
 * Makes the function that opens `/dev/i2c-N`. One per program: what hangs on a bus is counted here across re-openings, and all
 * buses that one opener gave for the same number take turns, transfer by transfer.
 *
 * A bus that reported an error refuses everything after it and is to be closed and opened again: i2c-bus keeps a descriptor
 * whose set-address failed, and would send the next transfer to whatever address the kernel thinks of.
 */
export function createI2cBusOpener(options: I2cBusOptions): OpenI2cBus {
  const { delay, monotonicMs, transferTimeoutMs = TRANSFER_TIMEOUT_MS, devicePrefix = DEVICE_PREFIX } = options;
  const loadNative = options.loadNative ?? loadI2cBus;
  const guards = new Map<string, TransferGuard>();

  return async (busNumber) => {
    const path = `${devicePrefix}${busNumber}`;
    const guard = guards.get(path) ?? createTransferGuard({ path, timeoutMs: transferTimeoutMs, delay, monotonicMs });
    guards.set(path, guard);
    await proveDevice(path, guard);
    const openNative = await loadNative().catch((error: unknown) => {
      throw error instanceof I2cError ? error : translateLoadError(error);
    });
    return createBus(path, guard, await openNative(busNumber));
  };
}

/** i2c-bus opens at the first transfer only; opening the file here tells a missing bus from a missing permission at once. */
async function proveDevice(path: string, guard: TransferGuard): Promise<void> {
  try {
    await guard.run('opening', async () => {
      const file = await openFile(path, 'r+');
      await file.close();
    });
  } catch (error) {
    throw translateI2cError(error, `opening ${path}`, 'open');
  }
}

async function loadI2cBus(): Promise<(busNumber: number) => Promise<NativeI2cBus>> {
  if (!isMainThread) {
    // Loaded in a worker, the package is lost to every other thread of the process ("Module did not self-register").
    throw new I2cError('I2C_MODULE_MISSING', 'the package i2c-bus works in the main thread only, this is a worker');
  }
  const { default: native } = await import('i2c-bus');
  return (busNumber) => native.openPromisified(busNumber);
}

function createBus(path: string, guard: TransferGuard, native: NativeI2cBus): I2cBus {
  let spent: I2cError | undefined;

  async function transfer(what: string, length: number, start: () => Promise<number>): Promise<void> {
    try {
      const moved = await guard.run(what, () => {
        if (spent !== undefined) throw spentError(what, path, spent);
        return start();
      });
      if (moved !== length) {
        throw new I2cError('I2C_SHORT_TRANSFER', `${what} on ${path} moved ${moved} bytes only: check the wires`);
      }
    } catch (error) {
      const translated = translateI2cError(error, `${what} on ${path}`, 'transfer');
      spent ??= translated;
      throw translated;
    }
  }

  return {
    path,
    hungTransfers: () => guard.hung(),

    async write(address, bytes) {
      const buffer = Buffer.from(bytes);
      const what = `writing ${buffer.length} bytes to ${hexAddress(address)}`;
      await transfer(what, buffer.length, async () => {
        const { bytesWritten } = await native.i2cWrite(address, buffer.length, buffer);
        return bytesWritten;
      });
    },

    async read(address, length) {
      // A new buffer each time: a transfer that hung and returns later still writes into its own.
      const buffer = Buffer.alloc(length);
      await transfer(`reading ${length} bytes from ${hexAddress(address)}`, length, async () => {
        const { bytesRead } = await native.i2cRead(address, length, buffer);
        return bytesRead;
      });
      return buffer;
    },

    async close() {
      spent ??= new I2cError('I2C_FAILED', `${path} has been closed`);
      if (guard.hung() === 0) {
        await guard.run('closing', () => native.close());
        return;
      }
      // A transfer that hangs may still wait for a thread. Were its descriptor closed now, the number would go to the next
      // file that is opened, a journal's perhaps, and the sensor's bytes into that. This is not awaited, on purpose.
      void guard.allReturned().then(() => native.close().catch(() => undefined));
    },
  };
}

function spentError(what: string, path: string, cause: I2cError): I2cError {
  return new I2cError(
    cause.code,
    `${what} on ${path} was not tried, the bus has to be opened again: ${cause.message}`,
    {
      cause,
    },
  );
}

function hexAddress(address: number): string {
  return `0x${address.toString(16).padStart(2, '0')}`;
}

/**
 * Loads the native package ahead of the first transfer, since on a slow machine that takes longer than a measurement may.
 * Never rejects: opening a bus says why it can't be loaded.
 */
export async function preloadI2cBus(): Promise<void> {
  await loadI2cBus().catch(() => undefined);
}
