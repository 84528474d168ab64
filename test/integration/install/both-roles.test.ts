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
    let bundle: string;
    let machine: FreshSystemWithSensor;
    let result: RunResult;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'techtemp-both-'));
      bundle = bundleInto(folder, ['--here', '--role', 'all']);
      machine = await freshSystemWithSensor({ shared: [folder] });
      result = machine.system.install([
        '--bundle',
        bundle,
        '--role',
        'all',
        '--with-broker',
        '--yes',
        '--interval',
        '2',
      ]);
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
      expect(result.stdout).toMatch(
        /measured, taken by the broker and stored by the server on this machine: .* 0 buffered/,
      );
    });

    // 11
    test.each(['watch the readings', 'watch all'])('the command that it prints to %s works as printed', (name) => {
      const command = new RegExp(`^ *${name} +(mosquitto_sub .*)$`, 'm').exec(result.stdout)?.[1] ?? '';
      machine.system.write('/usr/local/bin/sudo', '#!/bin/sh\nexec "$@"\n', 0o755);
      machine.system.write('/tmp/watch', `${command}\n`);
      expect(machine.system.sh('timeout 15 bash /tmp/watch | head -n 1')).toMatch(/^home\/\S+\/reading \{/);
    });

    // 2
    test('after --uninstall a call without a word brings back what lies on the disk, and says so', () => {
      const count = stored();
      expect(install('--uninstall', '--yes').status).toBe(0);
      const again = install('--bundle', bundle);
      expect({ status: again.status, stderr: again.stderr }).toEqual({ status: 0, stderr: '' });
      expect(again.stdout).toMatch(
        /^\* installs the recorder and the server again, because .*; --role device\|server\|all /m,
      );
      expect(again.stdout).toContain('stored by the server on this machine');
      const units = 'techtemp-device techtemp-server';
      expect(machine.system.sh(`systemctl is-active ${units}`)).toBe('active\nactive\n');
      expect(stored()).toBeGreaterThan(count);
    });

    test('also where the note of it is gone, and only settings, record and journal are left', () => {
      expect(install('--uninstall', '--yes').status).toBe(0);
      machine.system.sh('rm -r /var/lib/techtemp-install');
      const again = install('--bundle', bundle);
      expect(again.status).toBe(0);
      expect(again.stdout).toContain('because there is /etc/techtemp/device.conf and /etc/techtemp/server.conf');
      expect(machine.system.sh('systemctl is-active techtemp-server')).toBe('active\n');
    });

    test('a recorder whose server is left out piles up readings: that is no success, and the remedy that is printed helps', () => {
      expect(install('--uninstall', '--yes').status).toBe(0);
      const alone = install('--bundle', bundle, '--role', 'device');
      expect(alone.status).toBe(3);
      expect(alone.stdout).toMatch(/is installed, but readings are only kept on this machine: no server says /);
      expect(alone.stdout).toContain('/etc/techtemp/server.conf');
      // Nothing new to do, and still nothing is stored.
      expect(install('--bundle', bundle).status).toBe(3);
      const remedy = /sudo \.\/bootstrap-pi\.sh (--role all)/.exec(alone.stdout)?.[1] ?? '';
      expect(install('--bundle', bundle, ...remedy.split(' ')).status).toBe(0);
      expect(machine.system.sh('techtemp-server verify --strict || :')).toMatch(/^No unexplained hole/m);
    });

    test('--purge leaves the packages that were here before, and no file of ours', () => {
      const packages = machine.system.sh('dpkg-query -W; apt-mark showauto');
      expect(install('--uninstall', '--purge', '--yes').status).toBe(0);
      expect(machine.system.sh('dpkg-query -W; apt-mark showauto')).toBe(packages);
      const places = '/opt /etc /var/lib /run /usr/local /usr/share/keyrings';
      expect(
        machine.system.sh(
          `find ${places} -xdev -iname '*techtemp*' -not -name '*.lock' -not -path '/run/fake-systemd/*' || :`,
        ),
      ).toBe('');
    });

    function install(...args: readonly string[]): RunResult {
      const env = { TECHTEMP_STORE_SECONDS: '8', TECHTEMP_SETTLE_SECONDS: '2' };
      return machine.system.install(args, { env });
    }
    function stored(): number {
      const words = machine.system.sh('techtemp-server verify || :');
      return Number(/^No unexplained hole: (\d+) reading/m.exec(words)?.[1]);
    }
  },
);
