import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SensorHealth } from '../../drivers/sensor.ts';
import type { Emulator } from './emulator.ts';
import { startUnderEmulator } from './emulator-child.ts';

const program = fileURLToPath(new URL('children/measuring-program.ts', import.meta.url));

export type MeasuringOp = 'measure' | 'find' | 'health' | 'advance' | 'read-file' | 'close';

export interface MeasuringRequest {
  readonly id: number;
  readonly op: MeasuringOp;
  readonly argument: number;
}

export interface MeasuringAnswer {
  readonly id: number;
  readonly tookMs: number;
  readonly value?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface Measured {
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
  /** Hex digits. */
  readonly frame: string;
  /** CLOCK_MONOTONIC at which the measurement ended, as the driver says. */
  readonly endedNs: number;
  readonly uncertaintyMs: number;
  readonly tookMs: number;
}

/** What a measurement that brought no value said. */
export interface Unmeasured {
  readonly code: string;
  readonly message: string;
  readonly tookMs: number;
}

/** A child process with the real driver on an emulated bus. */
export interface MeasuringProgram {
  /** `stallMs`: for so long the program does nothing while the chip measures. @throws Error with code and message when there was no value */
  measure(stallMs?: number): Promise<Measured>;
  /** A measurement that has to fail. */
  fail(): Promise<Unmeasured>;
  /** The description of the sensor that was found. */
  find(): Promise<string>;
  health(): Promise<SensorHealth>;
  /** Moves the driver's monotonic clock forward. */
  advance(ms: number): Promise<void>;
  /** Reads a file, which needs a free thread of libuv's pool. */
  readFile(): Promise<void>;
  close(): Promise<void>;
  kill(): Promise<void>;
}

export async function startMeasuringProgram(emulator: Emulator): Promise<MeasuringProgram> {
  const child = await startUnderEmulator(emulator, program, { args: [String(emulator.busNumber)] });
  const waiting = new Map<number, (answer: MeasuringAnswer) => void>();
  let lastId = 0;
  createInterface(child.stdout).on('line', (line) => {
    const answer = JSON.parse(line) as MeasuringAnswer;
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  child.stderr.pipe(process.stderr);
  const gone = once(child, 'close');

  const ask = (op: MeasuringOp, argument = 0): Promise<MeasuringAnswer> =>
    new Promise((resolve) => {
      const id = ++lastId;
      waiting.set(id, resolve);
      child.stdin.write(`${JSON.stringify({ id, op, argument } satisfies MeasuringRequest)}\n`);
    });
  const must = async (op: MeasuringOp, argument?: number): Promise<MeasuringAnswer> => {
    const answer = await ask(op, argument);
    if (answer.error !== undefined) throw new Error(`${answer.error.code}: ${answer.error.message}`);
    return answer;
  };

  return {
    measure: async (stallMs) => {
      const { value, tookMs } = await must('measure', stallMs);
      return { ...(value as Omit<Measured, 'tookMs'>), tookMs };
    },
    fail: async () => {
      const { value, error, tookMs } = await ask('measure');
      if (error === undefined) throw new Error(`there was a value: ${JSON.stringify(value)}`);
      return { ...error, tookMs };
    },
    find: async () => (await must('find')).value as string,
    health: async () => (await must('health')).value as SensorHealth,
    advance: async (ms) => {
      await must('advance', ms);
    },
    readFile: async () => {
      await must('read-file');
    },
    close: async () => {
      await must('close');
    },
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
