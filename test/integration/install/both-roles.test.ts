import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { emulatorMissing } from '../../support/emulator.ts';
import { type FreshSystemWithSensor, freshSystemWithSensor } from '../../support/fresh-sensor.ts';
import { freshSystemMissing, type RunResult } from '../../support/fresh-system.ts';
import { bundleInto } from '../../support/release-bundles.ts';

const missing = freshSystemMissing ?? emulatorMissing;

describe.skipIf(missing !== undefined)(
  `device, server and broker on one fresh machine${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let folder: string;
    let machine: FreshSystemWithSensor;
    let result: RunResult;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'techtemp-both-'));
      const bundle = bundleInto(folder, ['--role', 'all']);
      machine = await freshSystemWithSensor({ shared: [folder] });
      result = machine.system.install(['--bundle', bundle, '--role', 'all', '--with-broker', '--yes']);
    }, 1_500_000);
    afterAll(async () => {
      await machine.remove();
      rmSync(folder, { recursive: true, force: true });
    });

    test('one command installs them, and the server runs from what the bundle has', () => {
      expect({ status: result.status, stderr: result.stderr }).toEqual({ status: 0, stderr: '' });
      const url = 'http://127.0.0.1:3000/docs/';
      expect(machine.system.sh(`curl -s -o /dev/null -w '%{http_code}' ${url}`)).toBe('200');
    });

    test('the server has the very first reading: it signed in at the broker before the device began', () => {
      const verify = 'techtemp-server verify --strict || :';
      expect(machine.system.sh(verify)).toMatch(/^No unexplained hole: \d+ readings? of 1 device/m);
      const starts = machine.system.calls().filter((call) => call.startsWith('systemctl restart --no-block'));
      expect(starts.map((call) => call.split(' ').at(-1))).toEqual([
        'techtemp-server.service',
        'techtemp-device.service',
      ]);
    });
  },
);
