import { expect } from 'vitest';
import type { I2cBus, OpenI2cBus } from '../../drivers/i2c/bus.ts';
import { type Delay, I2cError, type I2cErrorCode } from '../../drivers/sensor.ts';

/**
 * What is to happen on the wires, line by line, and in which order:
 *
 *   open            the bus is opened                  open ! I2C_BUS_MISSING   and that fails
 *   w AC3300        these bytes are written            w BE0800 ! I2C_NACK      and that fails
 *   r7 1C65...      seven bytes are read, these come   r1 ! I2C_TIMEOUT         and that fails
 *   wait 80         the driver waits 80 ms             close                    the bus is closed
 *
 * Anything else that the driver does fails the test at once, with the line that was due.
 */
export interface ScriptedBus {
  readonly openBus: OpenI2cBus;
  readonly delay: Delay;
  readonly monotonicMs: () => number;
  readonly busNumber: number;
  readonly address: number;
  /** Adds lines to what is to happen. */
  expect(script: string): void;
  /** Lets time pass outside of the driver. */
  advance(ms: number): void;
  /** Fails unless every line has happened. */
  done(): void;
}

export function scriptedBus(script = ''): ScriptedBus {
  const lines: string[] = [];
  let nowMs = 1_000_000;
  const add = (text: string): void => {
    lines.push(...text.split('\n').flatMap((line) => line.trim() || []));
  };
  add(script);

  /** Takes the next line if it is what the driver does; returns what comes back. */
  function answerTo(action: string): string {
    const line = lines.shift() ?? '(nothing more)';
    if (!(line === action || line.startsWith(`${action} `))) {
      // Not an I2cError: the driver must not take a wrong script for a fault to repair.
      throw new Error(`the driver does "${action}", the script says "${line}"`);
    }
    const [, answer = '', code] = /^(.*?)(?:! (\w+))?$/.exec(line.slice(action.length).trim()) ?? [];
    if (code !== undefined) throw new I2cError(code as I2cErrorCode, `scripted ${code}`);
    return answer;
  }

  const act = (action: string): void => {
    answerTo(action);
  };

  const createBus = (busNumber: number): I2cBus => ({
    path: `/dev/i2c-${busNumber}`,
    write: (address, bytes) => attempt(() => act(`w ${atAddress(address)}${hex(bytes)}`)),
    read: async (address, length) => {
      const answer = await attempt(() => answerTo(`r${length}${atAddress(address)}`));
      const bytes = Uint8Array.from(Buffer.from(answer, 'hex'));
      expect(bytes, `bytes of the scripted answer ${answer}`).toHaveLength(length);
      return bytes;
    },
    hungTransfers: () => 0,
    close: () => attempt(() => act('close')),
  });

  return {
    busNumber: 1,
    address: 0x38,
    openBus: (busNumber) => attempt(() => act('open')).then(() => createBus(busNumber)),
    delay: async (ms, signal) => {
      signal?.throwIfAborted();
      await attempt(() => act(`wait ${ms}`));
      nowMs += ms;
    },
    monotonicMs: () => nowMs,
    expect: add,
    advance: (ms) => {
      nowMs += ms;
    },
    done: () => expect(lines, 'lines of the script that did not happen').toEqual([]),
  };
}

/** Runs as a transfer does: later, and with its errors in the promise. */
async function attempt<T>(run: () => T): Promise<T> {
  await Promise.resolve();
  return run();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

function atAddress(address: number): string {
  return address === 0x38 ? '' : `@${address.toString(16)} `;
}
