import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { emulatorMissing } from '../../support/emulator.ts';
import { type FreshSystemWithSensor, freshSystemWithSensor } from '../../support/fresh-sensor.ts';
import { freshSystemMissing, PROJECT, type RunResult } from '../../support/fresh-system.ts';
import { type Bundles, makeBundles } from '../../support/release-bundles.ts';

const missing = freshSystemMissing ?? emulatorMissing;
/** What a run may write although nothing changed: its own log, and the broker its own. */
const LOGS = /\/(install|mosquitto)\.log /;

describe.skipIf(missing !== undefined)(
  `a fresh machine, installed from a bundle without a network${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let bundles: Bundles;
    let machine: FreshSystemWithSensor;
    let before: readonly string[];
    let first: RunResult;
    let callsOfFirst: number;

    beforeAll(async () => {
      bundles = makeBundles();
      machine = await freshSystemWithSensor({ shared: [bundles.folder] });
      before = machine.system.changedFiles();
    }, 300_000);
    afterAll(async () => {
      await machine.remove();
      bundles.remove();
    });

    test('a dry run prints every step as commands and changes not one file', () => {
      const { status, stdout, stderr } = install(
        '--dry-run',
        '--with-server',
        '--with-broker',
        '--room',
        'Living room',
        '--yes',
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('$ write /etc/systemd/system/techtemp-device.service (mode 0644, root:root)');
      expect(stdout).toContain('$ systemctl enable techtemp-server.service');
      expect(stdout).toContain('nothing was changed');
      expect(machine.system.changedFiles()).toEqual(before);
      const changing = /systemctl (start|stop|restart|enable|disable|daemon|reload)|modprobe|udevadm/;
      expect(machine.system.calls().filter((call) => changing.test(call))).toEqual([]);
    });

    test('one command later its first reading is with the broker, and every step has been told', () => {
      first = install('--with-broker', '--room', 'Wohnküche', '--yes');
      callsOfFirst = machine.system.calls().length;
      expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: '' });
      expect(first.stdout).toContain('answers on /dev/i2c-1: 21.5 °C, 45 %');
      expect(first.stdout).toContain(
        'measured and kept here until a server subscribes at the broker: 21.50 °C, 45.00 %RH',
      );
      expect(first.stdout).toMatch(/^ *first reading +21\.50 °C/m);
      for (const step of ['this machine', 'Node.js', 'groups', 'I2C bus', 'release', 'sensor', 'services']) {
        expect(first.stdout).toContain(`* ${step}\n`);
      }
      expect(machine.system.read('/etc/techtemp/device.conf')).toMatch(/^room = Wohnküche$/m);
      expect(machine.system.sh('systemctl is-active techtemp-device; systemctl is-enabled techtemp-device')).toBe(
        'active\nenabled\n',
      );
      expect(machine.system.sh('stat -c "%U:%G %a" /etc/techtemp/device.conf')).toBe('root:techtemp 640\n');
    });

    test('neither what was said nor the log has a password', () => {
      const password = machine.system.sh('cat /etc/credstore/techtemp.mqtt-password').trim();
      expect(password.length).toBeGreaterThan(10);
      expect(first.stdout).not.toContain(password);
      expect(machine.system.read('/var/lib/techtemp-install/install.log')).not.toContain(password);
      expect(machine.system.sh('ls /tmp /run | grep techtemp-install || :')).toBe('');
    });

    test.each([
      ['from the same bundle', ['--with-broker', '--room', 'Wohnküche', '--yes'], ''],
      ['without a word but the bundle, and with its standard input closed', [], '<&-'],
    ])('a second run %s changes nothing, says so, and restarts nothing', (_, args, input) => {
      const settled = files();
      const pid = machine.system.sh('systemctl show -p MainPID --value techtemp-device').trim();
      const words = ['--bundle', bundles.original, ...args].map((word) => `'${word}'`).join(' ');
      const { status, stdout, stderr } = machine.system.run('bash', [
        '-c',
        `${PROJECT}/bootstrap-pi.sh ${words} ${input}`,
      ]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('Nothing changed.');
      expect(stdout).toMatch(/^ *latest reading +21\.50 °C/m);
      expect(files()).toEqual(settled);
      expect(machine.system.sh('systemctl show -p MainPID --value techtemp-device').trim()).toBe(pid);
      const since = machine.system.calls().slice(callsOfFirst);
      expect(since.filter((call) => /systemctl (re)?start|enable |daemon-re/.test(call))).toEqual([]);
    });

    test('without the packed bundle, from its unpacked folder, it is the same release', () => {
      const settled = files();
      machine.system.sh(`mkdir -p /tmp/unpacked; tar -xzf '${bundles.original}' -C /tmp/unpacked --strip-components=1`);
      const { status, stdout } = machine.system.run('/tmp/unpacked/bootstrap-pi.sh', []);
      expect(status).toBe(0);
      expect(stdout).toContain('Nothing changed.');
      expect(files()).toEqual(settled);
    });

    test('an option changes its own setting and nothing else', () => {
      const conf = machine.system.read('/etc/techtemp/device.conf') ?? '';
      const settled = files();
      expect(install('--label', `O'Neill's "sill" #2`).status).toBe(0);
      const now = machine.system.read('/etc/techtemp/device.conf') ?? '';
      const changedLines = now.split('\n').filter((line) => !conf.split('\n').includes(line));
      expect(changedLines).toHaveLength(1);
      expect(changedLines[0]).toContain('label');
      const config = machine.system.sh('node /opt/techtemp/current/dist/techtemp-device.js config');
      expect(config).toContain(`O'Neill's`);
      const differing = files().filter((line) => !settled.includes(line));
      expect(differing.map((line) => line.split(' ')[0])).toEqual(['./etc/techtemp/device.conf']);
    });

    function install(...args: readonly string[]): RunResult {
      return machine.system.install(['--bundle', bundles.original, ...args]);
    }
    /** Everything but logs, and the journal of readings that the running agent writes. */
    function files(): readonly string[] {
      return machine.system
        .changedFiles()
        .filter((line) => !LOGS.test(line) && !line.includes('/var/lib/private/techtemp'));
    }
  },
);
