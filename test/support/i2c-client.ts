import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { Emulator } from './emulator.ts';
import { startUnderEmulator } from './emulator-child.ts';

const childEntry = fileURLToPath(new URL('i2c-client-child.ts', import.meta.url));

export interface ClientRequest {
  readonly id: number;
  readonly op: 'call' | 'reopen' | 'access' | 'stat' | 'open';
  readonly args: readonly unknown[];
}

export interface ClientAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/**
 * A child process that speaks to an emulated bus through the unmodified i2c-bus. Calls may overlap; a call that fails
 * rejects with the error code as its message; one whose process is killed rejects with `KILLED`.
 */
export interface I2cClient {
  readonly pid: number;
  /** Any method of i2c-bus' promisified bus; a buffer argument is given as `{hex}`. */
  call(method: string, ...args: readonly unknown[]): Promise<unknown>;
  /** Raw write to 0x38, hex digits. */
  write(bytes: string): Promise<void>;
  /** Raw read from 0x38: hex digits. */
  read(count: number): Promise<string>;
  /** fs.stat, fs.access, fs.open and close of the device file; a new bus object. */
  file(op: Exclude<ClientRequest['op'], 'call'>, ...args: readonly unknown[]): Promise<unknown>;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
}

export async function startI2cClient(emulator: Emulator): Promise<I2cClient> {
  const child = await startUnderEmulator(emulator, childEntry, { args: [String(emulator.busNumber)] });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;

  createInterface(child.stdout).on('line', (line) => {
    const { id, value, error } = JSON.parse(line) as ClientAnswer;
    if (error === undefined) waiting.get(id)?.resolve(value);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  child.stderr.pipe(process.stderr);
  child.stdin.on('error', () => undefined); // a killed child: its calls are rejected below
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => {
      for (const { reject } of waiting.values()) reject(new Error('KILLED'));
      resolve();
    });
  });

  const send = (op: ClientRequest['op'], args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = (lastId += 1);
      waiting.set(id, { resolve, reject });
      child.stdin.write(`${JSON.stringify({ id, op, args } satisfies ClientRequest)}\n`);
    });

  return {
    pid: child.pid!,
    call: (method, ...args) => send('call', [method, ...args]),
    write: async (bytes) => {
      await send('call', ['i2cWrite', 0x38, bytes.length / 2, { hex: bytes }]);
    },
    read: async (count) => (await send('call', ['i2cRead', 0x38, count, { hex: '00'.repeat(count) }])) as string,
    file: (op, ...args) => send(op, args),
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
