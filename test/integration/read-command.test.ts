import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Emulator, emulatorAvailable, startEmulator } from '../support/emulator.ts';
import { type ChildResult, runUnderEmulator, startUnderEmulator } from '../support/emulator-child.ts';

const program = fileURLToPath(new URL('../support/children/device-commands.ts', import.meta.url));
let folder: string;
let emulator: Emulator;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-read-'));
  writeFileSync(join(folder, 'device.conf'), '[sensor]\ntype = aht20\n');
  // The first of the two published frames of real sensors.
  if (emulatorAvailable) {
    emulator = await startEmulator({
      source: { kind: 'raw', bytes: '65B425CD26' },
      settings: { statusExtra: 0x04 },
    });
  }
});
afterEach(async () => {
  if (emulatorAvailable) await emulator.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function read(...args: readonly string[]): Promise<ChildResult> {
  const config = ['--config', join(folder, 'device.conf')];
  return await runUnderEmulator(emulator, program, { args: ['read', ...config, ...args] });
}

describe.skipIf(!emulatorAvailable)('techtemp-device read', () => {
  it('measures once and shows the values, the dew point, the raw frame and the time taken', async () => {
    const { code, stdout, stderr } = await read();
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const [sensor, heading, row, ...rest] = stdout.trimEnd().split('\n');
    expect(sensor).toBe('AHT20 at 0x38 on /dev/i2c-1');
    expect(heading).toMatch(/^time \(UTC\) +temperature +humidity +dew point +frame +took$/);
    // Dew point by the Magnus formula: 243.12 v / (17.62 - v), v = ln(0.39728) + 17.62 * 22.52 / (243.12 + 22.52).
    expect(row).toMatch(/^20\d\d-\S+Z +22\.52 °C +39\.73 %RH +8\.1\d °C +1C 65 B4 25 CD 26 C6 +\d+ ms$/);
    expect(rest).toEqual([]);
  });

  it('prints one JSON object a measurement', async () => {
    const { code, stdout } = await read('--json', '--count', '3', '--interval', '0.1');
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).toMatchObject({
        sensor: 'AHT20 at 0x38 on /dev/i2c-1',
        temperature_c: 22.52,
        humidity_pct: 39.73,
        frame: '1C65B425CD26C6',
      });
      expect(line['ts']).toBeGreaterThan(Date.UTC(2026, 0, 1));
    }
  });

  it('applies the offsets of the config, as the agent does', async () => {
    const { stdout } = await read('--json', '--set', 'sensor.temperature_offset=-1.5');
    const { temperature_c: temperature, humidity_pct: humidity, frame } = JSON.parse(stdout) as Record<string, unknown>;
    expect(temperature).toBe(21.02);
    expect(humidity).toBeGreaterThan(43);
    expect(frame).toBe('1C65B425CD26C6');
  });

  it('says what is wrong, points to check and fails when there is no value', async () => {
    await emulator.fault('absent');
    const { code, stdout, stderr } = await read();
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('0x38');
    expect(stderr).toContain('I2C_NACK');
    expect(stderr).toContain('techtemp-device check');
  });

  it('goes on with a series when one measurement fails, and still says so with its exit code', async () => {
    await emulator.fault('absent');
    const args = ['read', '--config', join(folder, 'device.conf'), '--count', '4', '--interval', '1'];
    const child = await startUnderEmulator(emulator, program, { args });
    const stdout = text(child.stdout);
    child.stderr.once('data', () => void emulator.clearFaults());
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(await stdout).toContain('22.52 °C');
    expect(code).toBe(1);
  });

  it('never invents values that nobody asked for', async () => {
    await emulator.fault('absent');
    writeFileSync(join(folder, 'device.conf'), '[sensor]\ntype = auto\n');
    expect((await read()).code).toBe(1);
    const simulated = await read('--simulate', '--json');
    expect(simulated.code).toBe(0);
    expect(JSON.parse(simulated.stdout)).toMatchObject({ sensor: 'simulated sensor' });
  });

  it('explains a config that it cannot use', async () => {
    writeFileSync(join(folder, 'device.conf'), '[sensor]\ni2c_bus = one\n');
    const { code, stderr } = await read();
    expect(code).toBe(78);
    expect(stderr).toContain('i2c_bus');
  });

  it('disturbs no other program that measures with the same sensor at the same time', async () => {
    const [first, second] = await Promise.all([
      read('--json', '--count', '20', '--interval', '0.1'),
      read('--json', '--count', '20', '--interval', '0.1'),
    ]);
    for (const { code, stdout, stderr } of [first, second]) {
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout.trimEnd().split('\n')).toHaveLength(20);
    }
  });

  it('refuses options that make no sense', async () => {
    for (const args of [
      ['--count', '0'],
      ['--count', 'x'],
      ['--interval', '0'],
      ['--set', 'nonsense'],
    ]) {
      const { code, stderr } = await read(...args);
      expect(code).toBe(64);
      expect(stderr).toContain('error:');
    }
  });
});
