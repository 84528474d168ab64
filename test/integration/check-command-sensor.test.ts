import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/doctor/finding.ts';
import { type Emulator, type EmulatorOptions, emulatorAvailable, startEmulator } from '../support/emulator.ts';
import { type ChildResult, runUnderEmulator } from '../support/emulator-child.ts';

const program = fileURLToPath(new URL('../support/children/device-commands.ts', import.meta.url));
const LIVE = {
  kind: 'sine',
  temperature: 21.4,
  humidity: 45,
  temperatureSwing: 1,
  humiditySwing: 3,
  period: 100,
  noise: 0.05,
  seed: 7,
} as const;
let folder: string;
let emulators: Emulator[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-check-sensor-'));
});
afterEach(async () => {
  for (const emulator of emulators.splice(0)) await emulator.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: EmulatorOptions = {}): Promise<Emulator> {
  const emulator = await startEmulator({ source: LIVE, ...options });
  emulators.push(emulator);
  return emulator;
}

async function runCheck(config = 'type = aht20', args: readonly string[] = []): Promise<ChildResult> {
  const file = join(folder, 'device.conf');
  // Port 9 (discard) is nobody's: the broker is not what is examined here.
  writeFileSync(file, `[sensor]\n${config}\n[mqtt]\nbroker_host = 127.0.0.1\nbroker_port = 9\n`);
  const env = { STATE_DIRECTORY: folder };
  return await runUnderEmulator(emulators, program, {
    args: ['check', '--config', file, ...args],
    env,
    limitMs: 200_000,
  });
}

/** What the examination of the sensor found. */
async function check(config?: string): Promise<readonly Finding[]> {
  const { stdout, stderr } = await runCheck(config, ['--json']);
  expect(stderr).toBe('');
  const { findings } = JSON.parse(stdout) as { findings: readonly (Finding & { readonly examination: string })[] };
  return findings.filter(({ examination }) => examination === 'i2c');
}

async function ids(config?: string): Promise<readonly string[]> {
  return (await check(config)).map(({ id }) => id);
}

describe.skipIf(!emulatorAvailable)('techtemp-device check, from the device file to the value', () => {
  it('is content with a sensor that works, and shows its values', async () => {
    await start();
    const [bus, sensor, ...rest] = await check();
    expect(bus).toMatchObject({ id: 'bus.ok', verdict: 'ok' });
    expect(sensor).toMatchObject({ id: 'sensor.ok', verdict: 'ok' });
    expect(sensor?.found).toMatch(
      /AHT20 at 0x38 on \/dev\/i2c-1: 2\d\.\d\d °C, 4\d\.\d\d %RH \(5 measurements, \d+ ms each\)/,
    );
    expect(rest).toEqual([]);
  });

  it('does not look for a sensor where the config asks for the simulated one', async () => {
    await start();
    expect(await ids('type = simulated')).toEqual(['bus.simulated']);
  });

  it('says that I2C is off where there is no bus at all', async () => {
    const emulator = await start();
    await emulator.fault('no-device');
    const [finding] = await check();
    expect(finding).toMatchObject({ id: 'bus.off', verdict: 'fail' });
    expect(finding?.remedy).toContain('$ sudo raspi-config nonint do_i2c 0');
  });

  it('says which bus there is, and where the sensor answers, when the number is wrong', async () => {
    await start({ busNumber: 1 });
    const [finding] = await check('i2c_bus = 3');
    expect(finding?.id).toBe('bus.wrong-number');
    expect(finding?.found).toContain('0x38 answers on /dev/i2c-1');
    expect(finding?.remedy?.[0]).toContain('i2c_bus = 1');
  });

  it('says that the sensor is on another bus', async () => {
    await start({ busNumber: 1, settings: { address: 0x76 } });
    await start({ busNumber: 4 });
    const [finding] = await check();
    expect(finding?.id).toBe('bus.other-bus');
    expect(finding?.found).toContain('/dev/i2c-4');
  });

  it('names the group when the device file may not be opened', async () => {
    const emulator = await start();
    await emulator.fault('no-permission');
    const [finding] = await check();
    expect(finding?.id).toBe('bus.permission');
    expect(finding?.remedy).toContain('$ sudo usermod -aG i2c $USER');
  });

  it('names the driver of the kernel that holds the address, and how to unbind it', async () => {
    const emulator = await start();
    await emulator.fault('kernel-driver');
    const [finding] = await check();
    expect(finding?.id).toBe('bus.kernel-driver');
    expect(finding?.remedy).toContain('$ echo 1-0038 | sudo tee /sys/bus/i2c/drivers/aht10/unbind');
  });

  it('says that nothing at all answers, with the wiring', async () => {
    const emulator = await start();
    await emulator.fault('absent');
    const [finding] = await check();
    expect(finding?.id).toBe('bus.nothing-answers');
    expect(finding?.remedy?.[0]).toContain('SDA - pin 3');
  });

  it('says what else answers when the sensor does not', async () => {
    await start({ settings: { address: 0x76 } });
    const [finding] = await check();
    expect(finding?.id).toBe('bus.nothing-at-address');
    expect(finding?.found).toContain('0x76 (BMP280 or BME280)');
  });

  it('says that another chip answers at the address', async () => {
    const emulator = await start();
    await emulator.fault('other-device', { bytes: '5A0301' });
    expect((await check()).map(({ id }) => id)).toEqual(['bus.ok', 'sensor.not-an-aht']);
    await emulator.fault('other-device', { bytes: 'FF' });
    expect((await check()).map(({ id }) => id)).toEqual(['bus.ok', 'sensor.not-an-aht']);
  });

  it('counts frames that were damaged on the way, and shows values all the same', async () => {
    const emulator = await start();
    await emulator.fault('crc', { probability: 0.2, seed: 11 });
    const found = await check();
    expect(found.map(({ id }) => id)).toEqual(['bus.ok', 'sensor.ok', 'sensor.noise']);
    expect(found[2]?.found).toMatch(/^[1-9]\d* damaged frames in 5 measurements/);
  });

  it('says that contacts are loose when single measurements fail', async () => {
    const emulator = await start();
    await emulator.fault('nack', { probability: 0.3, seed: 3, skip: 10 });
    expect(await ids()).toContain('sensor.unreliable');
  });

  it('says that the chip is busy for ever', async () => {
    const emulator = await start();
    await emulator.fault('busy', { option: 'for-good' });
    const found = await check();
    expect(found.map(({ id }) => id)).toEqual(['bus.ok', 'sensor.busy']);
    expect(found[1]?.remedy?.[0]).toContain('ten seconds');
  });

  it('says that the chip has lost its calibration', async () => {
    const emulator = await start();
    await emulator.fault('not-calibrated', { option: 'never' });
    expect(await ids()).toEqual(['bus.ok', 'sensor.not-calibrated']);
  });

  it('says that the values cannot be', async () => {
    const emulator = await start();
    await emulator.fault('zero', { option: 'data' });
    expect(await ids()).toEqual(['bus.ok', 'sensor.implausible']);
  });

  it('warns of a chip that repeats one value', async () => {
    const emulator = await start();
    await emulator.fault('frozen');
    expect(await ids()).toEqual(['bus.ok', 'sensor.ok', 'sensor.frozen']);
  });

  it('says that the chip acknowledges its address and nothing more', async () => {
    const emulator = await start();
    await emulator.fault('nack', { on: 'write' });
    expect(await ids()).toEqual(['bus.ok', 'sensor.failed']);
  });

  it('says that transfers fail for another reason', async () => {
    const emulator = await start({ settings: { nackErrno: 'EIO' } });
    await emulator.fault('nack');
    expect(await ids()).toEqual(['bus.failed']);
  });

  it('says that the bus is held', async () => {
    const emulator = await start();
    await emulator.fault('timeout', { ms: 20 });
    expect(await ids()).toEqual(['bus.time-out']);
  });

  it('says that the bus hangs, and still comes to an end', async () => {
    const emulator = await start();
    await emulator.fault('hang', { skip: 6 });
    const { stdout, signal } = await runCheck('type = aht20', ['--json']);
    expect(stdout).toContain('"bus.hung"');
    // The exit code of a process that cannot wait for its own thread.
    expect(signal).toBe('SIGKILL');
  });

  it('takes turns with another program that measures all the time', async () => {
    const emulator = await start();
    const file = join(folder, 'agent.conf');
    writeFileSync(file, '[sensor]\ntype = aht20\n');
    const args = ['read', '--json', '--config', file, '--count', '60', '--interval', '0.1'];
    const busy = runUnderEmulator(emulator, program, { args });
    expect(await ids()).toEqual(['bus.ok', 'sensor.ok']);
    const { code, stdout, stderr } = await busy;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout.trimEnd().split('\n')).toHaveLength(60);
  });

  it('accepts the relatives of the chip', async () => {
    const emulator = await start({ personality: 'aht10' });
    expect(await ids()).toContain('sensor.ok');
    await emulator.stop();
    emulators = [];
    await start({ personality: 'dht20' });
    expect(await ids()).toContain('sensor.ok');
  });

  it('ends with 1 when something failed, and prints cause and remedy for people', async () => {
    const emulator = await start();
    await emulator.fault('absent');
    const { code, stdout } = await runCheck();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}FAIL {2}Sensor +nothing answers on \/dev\/i2c-1/m);
    expect(stdout).toMatch(/^ +cause +the sensor has no power/m);
    expect(stdout).toMatch(/^ +remedy +switch the Pi off/m);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^\d+ ok, \d+ warnings?, \d+ failures?, \d+ not examined$/);
  });
});
