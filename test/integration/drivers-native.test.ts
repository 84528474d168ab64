import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { bundleForChild } from '../support/bundle.ts';

const require = createRequire(import.meta.url);
const hasNative = canResolve('i2c-bus');

let folder: string;
let devicePrefix: string;
let program: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'i2c-native-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  devicePrefix = join(folder, 'i2c-');
  writeFileSync(`${devicePrefix}1`, '');
  program = await bundleForChild('test/support/children/open-i2c-bus.ts');
});

describe('the native package i2c-bus', () => {
  it.skipIf(!hasNative)('is loaded when a bus is opened', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [program, devicePrefix]);
    expect(stdout).toBe('opened');
  });

  it('is named with its remedy where it was not installed', async () => {
    const elsewhere = join(folder, 'program.mjs');
    copyFileSync(program, elsewhere);
    mkdirSync(join(folder, 'node_modules'));
    for (const needed of ['async-mutex', 'tslib']) {
      symlinkSync(dirname(require.resolve(`${needed}/package.json`)), join(folder, 'node_modules', needed));
    }
    const { stdout } = await promisify(execFile)(process.execPath, [elsewhere, devicePrefix]);
    expect(stdout).toMatch(/^I2C_MODULE_MISSING: the package i2c-bus.*npm install/);
  });

  it('is not loaded in a worker, where it would be lost to the whole process', async () => {
    const worker = new Worker(program, { argv: [devicePrefix] });
    const outcome = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    await worker.terminate();
    expect(outcome).toMatch(/^I2C_MODULE_MISSING: .*main thread only/);
  });
});

function canResolve(name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}
