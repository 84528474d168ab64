import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';

import { type Emulator, type EmulatorOptions, emulatorAvailable, startEmulator } from '../support/emulator.ts';
import { deliveredFrames } from '../support/emulator-log.ts';

const run = promisify(execFile);

describe.skipIf(!emulatorAvailable)('emulated /dev/i2c-N', () => {
  let emulator: Emulator;
  const start = async (options: EmulatorOptions = {}): Promise<void> => {
    emulator = await startEmulator(options);
  };
  afterEach(() => emulator.stop());

  const child = async (code: string): Promise<unknown> => {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], {
      env: { ...process.env, ...emulator.env },
    });
    return JSON.parse(stdout);
  };

  it('gives the published frame 1C65B425CD26C6 to the unmodified i2c-bus', async () => {
    await start({ settings: { statusExtra: 0x04 }, source: { kind: 'raw', bytes: '65B425CD26' } });
    const frame = await child(`
      import i2c from 'i2c-bus';
      const bus = await i2c.openPromisified(1);
      await bus.i2cWrite(0x38, 3, Buffer.from([0xac, 0x33, 0x00]));
      let frame;
      do frame = (await bus.i2cRead(0x38, 7, Buffer.alloc(7))).buffer; while (frame[0] & 0x80);
      console.log(JSON.stringify(frame.toString('hex')));
    `);
    expect(frame).toBe('1c65b425cd26c6');
    expect(deliveredFrames(await emulator.log())).toHaveLength(1);
  });
});
