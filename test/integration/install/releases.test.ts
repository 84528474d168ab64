import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { emulatorMissing } from '../../support/emulator.ts';
import { type FreshSystemWithSensor, freshSystemWithSensor } from '../../support/fresh-sensor.ts';
import { type FreshSystem, freshSystemMissing, type RunResult } from '../../support/fresh-system.ts';
import { type Bundles, makeBundles } from '../../support/release-bundles.ts';

const missing = freshSystemMissing ?? emulatorMissing;
const skipped = missing === undefined ? '' : ` (skipped: ${missing})`;
/** Short times: what is waited for happens within a second. */
const QUICK = { TECHTEMP_SETTLE_SECONDS: '2', TECHTEMP_POLL_SECONDS: '0.3' };
const BROKER = 'listener 1883 127.0.0.1\nallow_anonymous true\n';

describe.skipIf(missing !== undefined)(`releases on a device${skipped}`, { timeout: 180_000 }, () => {
  let bundles: Bundles;
  let machine: FreshSystemWithSensor;
  let system: FreshSystem;

  beforeAll(() => {
    bundles = makeBundles();
  }, 300_000);
  afterAll(() => bundles.remove());
  beforeEach(async () => {
    machine = await freshSystemWithSensor({ shared: [bundles.folder] });
    system = machine.system;
    system.write('/etc/broker.conf', BROKER);
    startBroker();
  });
  afterEach(async () => machine.remove());

  const startBroker = (): string => system.sh('mosquitto -d -c /etc/broker.conf');
  const stopBroker = (): string => system.sh('kill $(pidof mosquitto)');
  const install = (file: string, ...args: string[]): RunResult =>
    system.install(['--yes', '--skip-apt', '--no-watchdog', '--bundle', file, '--health-seconds', '25', ...args], {
      env: QUICK,
    });
  const first = (): RunResult => install(bundles.original, '--broker', '127.0.0.1', '--interval', '60');
  const linked = (name: string): string => system.sh(`readlink /opt/techtemp/${name} || :`).trim().replace('releases/', '');
  const status = (): string => system.sh('systemctl show techtemp-device -p StatusText --value');

  test('a first installation ends when the broker has taken a reading, and says so', () => {
    const { status: exit, stdout, stderr } = first();
    expect(stderr + stdout).toContain('taken)');
    expect(exit).toBe(0);
    expect(linked('current')).toMatch(/^0\.1\.0-/);
    expect(linked('previous')).toBe('');
    expect(status()).toMatch(/ °C, .* %RH; connected to 127\.0\.0\.1:1883 \(\d+ taken\)/);
  });
});
