import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runConfig } from '../../src/device/commands/config.ts';
import { recordedIo } from '../support/command-io.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-config-command-'));
  file = join(folder, 'device.conf');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function config(
  options: { readonly defaults?: boolean; readonly flags?: Readonly<Record<string, string>> } = {},
  env: NodeJS.ProcessEnv = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const { io, stdout, stderr } = recordedIo({ env: { STATE_DIRECTORY: folder, ...env } });
  const code = await runConfig({ configPath: file, flags: {}, defaults: false, ...options }, io);
  return { code, stdout: stdout(), stderr: stderr() };
}

describe('techtemp-device config', () => {
  it('prints every value with where it comes from', async () => {
    writeFileSync(file, '[mqtt]\nbroker_host = broker.lan\n[sensor]\nread_interval_seconds = 60\n');
    const flags = { 'sensor.i2c_bus': '3' };
    const { code, stdout, stderr } = await config({ flags }, { TECHTEMP_DEVICE_ROOM: 'Kitchen' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^broker_host = broker\\.lan +# ${file}:2$`, 'm'));
    expect(stdout).toMatch(/^i2c_bus = 3 +# --set sensor\.i2c_bus$/m);
    expect(stdout).toMatch(/^room = Kitchen +# environment variable TECHTEMP_DEVICE_ROOM$/m);
    expect(stdout).toMatch(/^broker_port = 1883 +# default$/m);
  });

  it('never shows a password', async () => {
    writeFileSync(file, '[mqtt]\nusername = me\npassword = very-secret\n');
    const { stdout } = await config();
    expect(stdout).toMatch(/^password = .*\[secret\]/m);
    expect(stdout).not.toContain('very-secret');
  });

  it('says on stderr what deserves a look', async () => {
    writeFileSync(file, '[system]\ndaemon_mode = true\n[sensor]\nread_interval_seconds = 1\n');
    const { code, stderr } = await config();
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: .*device\.conf:\d+: .*read_interval_seconds/m);
  });

  it('names every problem of a file that cannot be used', async () => {
    writeFileSync(file, '[mqtt]\nbroker_port = high\nbroker_hst = x\n');
    const { code, stdout, stderr } = await config();
    expect(code).toBe(78);
    expect(stdout).toBe('');
    expect(stderr).toContain('broker_port');
    expect(stderr).toContain('broker_hst');
  });

  it('names a file that is not there', async () => {
    const { code, stderr } = await config();
    expect(code).toBe(78);
    expect(stderr).toContain(file);
  });

  it('prints the annotated defaults, which are a valid file themselves', async () => {
    const { code, stdout } = await config({ defaults: true });
    expect(code).toBe(0);
    expect(stdout).toContain('#broker_host =');
    writeFileSync(file, stdout);
    expect((await config()).code).toBe(0);
  });

  it('leaves nothing behind, not even an identity', async () => {
    writeFileSync(file, '[sensor]\n');
    await config();
    expect(readdirSync(folder)).toEqual(['device.conf']);
    writeFileSync(join(folder, 'device-uid'), 'aht20-remembered\n');
    expect((await config()).stdout).toContain('device_uid = aht20-remembered');
    expect(readFileSync(join(folder, 'device-uid'), 'utf8')).toBe('aht20-remembered\n');
  });
});
