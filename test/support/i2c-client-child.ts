import { promises as fs } from 'node:fs';
import { createInterface } from 'node:readline';
import i2c from 'i2c-bus';

import type { ClientAnswer, ClientRequest } from './i2c-client.ts';

/** The child of i2c-client.ts: carries out what it is told with the unmodified i2c-bus, without waiting in between. */
const busNumber = Number(process.argv[2]);
const devicePath = `/dev/i2c-${busNumber}`;
let bus = await i2c.openPromisified(busNumber);

const operations: Readonly<Record<ClientRequest['op'], (args: readonly unknown[]) => Promise<unknown>>> = {
  call: async ([method, ...args]) => {
    const methods = bus as unknown as Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>;
    const result = await methods[method as string]!(...args.map(decode));
    return isBufferResult(result) ? result.buffer.subarray(0, result.bytes).toString('hex') : result;
  },
  reopen: async () => {
    await bus.close();
    bus = await i2c.openPromisified(busNumber);
  },
  access: async ([mode]) => fs.access(devicePath, mode as number),
  stat: async () => {
    const { mode, rdev } = await fs.stat(devicePath);
    return { isCharacterDevice: (mode & 0o170000) === 0o020000, major: rdev >> 8, minor: rdev & 0xff };
  },
  open: async () => (await fs.open(devicePath, 'r+')).close(),
};

for await (const line of createInterface(process.stdin)) {
  const request = JSON.parse(line) as ClientRequest;
  void answer(request); // requests overlap, as the calls of a program do
}

async function answer({ id, op, args }: ClientRequest): Promise<void> {
  const send = (result: ClientAnswer): void => void process.stdout.write(`${JSON.stringify(result)}\n`);
  try {
    send({ id, value: await operations[op](args) });
  } catch (error) {
    // Node has no name for EREMOTEIO where the addon and not libuv met it: the code is empty then.
    send({ id, error: (error as NodeJS.ErrnoException).code || String(error) });
  }
}

/** `{hex}` stands for a buffer. */
function decode(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'hex' in value
    ? Buffer.from(value.hex as string, 'hex')
    : value;
}

function isBufferResult(value: unknown): value is { bytes: number; buffer: Buffer } {
  return typeof value === 'object' && value !== null && 'buffer' in value;
}
