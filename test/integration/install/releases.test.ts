import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { emulatorMissing } from '../../support/emulator.ts';
import { type FreshSystemWithSensor, freshSystemWithSensor } from '../../support/fresh-sensor.ts';
import { type FreshSystem, freshSystemMissing, type RunResult } from '../../support/fresh-system.ts';
import { type Bundles, makeBundles } from '../../support/release-bundles.ts';

const missing = freshSystemMissing ?? emulatorMissing;
const skipped = missing === undefined ? '' : ` (skipped: ${missing})`;
/** Short times: what is waited for happens within a second. */
const QUICK = { TECHTEMP_SETTLE_SECONDS: '2', TECHTEMP_POLL_SECONDS: '0.3' };
const BROKER = 'listener 1883 127.0.0.1\nallow_anonymous true\n';

describe.skipIf(missing !== undefined)(`releases on a device${skipped}`, { timeout: 400_000 }, () => {
  let bundles: Bundles;
  /** Where the first installation was done, and stopped: most tests begin with its files. */
  let installed: FreshSystemWithSensor;
  let firstRun: RunResult;
  let firstStatus: string;
  let machine: FreshSystemWithSensor;
  let system: FreshSystem;

  beforeAll(async () => {
    bundles = makeBundles();
    await begin();
    firstRun = first();
    firstStatus = status();
    system.sh('systemctl stop techtemp-device; kill $(pidof mosquitto_sub)');
    stopBroker();
    installed = machine;
  }, 300_000);
  afterAll(async () => {
    await installed.remove();
    bundles.remove();
  });
  afterEach(async () => {
    if (machine !== installed) await machine.remove();
  });

  /** A machine with a broker, and somebody who takes the readings, as a server does; it comes back with the broker. */
  const begin = async (from?: FreshSystem): Promise<void> => {
    machine = await freshSystemWithSensor({ shared: [bundles.folder], ...(from && { from }) });
    system = machine.system;
    system.write('/etc/broker.conf', BROKER);
    startBroker();
    system.sh("mosquitto_sub -h 127.0.0.1 -V 5 -q 1 -t 'home/#' >/dev/null 2>&1 &");
  };
  /** One on which the first installation has been done, as the first test looks at it. */
  const beginInstalled = async (): Promise<void> => {
    await begin(installed.system);
    system.sh('systemctl start techtemp-device');
    untilStatus(/[1-9]\d* taken\)/);
  };
  const startBroker = (): string => system.sh('mosquitto -d -c /etc/broker.conf');
  const stopBroker = (): string => system.sh('kill $(pidof mosquitto)');
  const install = (file: string, ...args: string[]): RunResult =>
    system.install(['--yes', '--skip-apt', '--no-watchdog', '--bundle', file, '--health-seconds', '90', ...args], {
      env: QUICK,
    });
  const first = (): RunResult => install(bundles.original, '--broker', '127.0.0.1', '--interval', '60');
  const linked = (name: string): string =>
    system.sh(`readlink /opt/techtemp/${name} || :`).trim().replace('releases/', '');
  const status = (): string => system.sh('systemctl show techtemp-device -p StatusText --value');

  test('a first installation ends when the broker has taken a reading, and says so', () => {
    const { status: exit, stdout, stderr } = firstRun;
    machine = installed;
    system = installed.system;
    expect(stderr + stdout).toContain('taken)');
    expect(exit).toBe(0);
    expect(linked('current')).toMatch(/^0\.1\.0-/);
    expect(linked('previous')).toBe('');
    expect(firstStatus).toMatch(/ °C, .* %RH; connected to 127\.0\.0\.1:1883 \(\d+ taken\)/);
  });

  test('an upgrade keeps journal and configuration, and remembers the release before', async () => {
    await beginInstalled();
    const before = { current: linked('current'), config: system.read('/etc/techtemp/device.conf'), journal: epochs() };
    const newer = bundles.vary('newer');
    const { status: exit, stdout, stderr } = install(newer.file);
    expect(stderr).not.toContain('failed');
    expect(exit).toBe(0);
    expect(stdout).toContain(`the current release is ${newer.name}`);
    expect(linked('current')).toBe(newer.name);
    expect(linked('previous')).toBe(before.current);
    expect(system.read('/etc/techtemp/device.conf')).toBe(before.config);
    expect(epochs()).toBe(before.journal);
    expect(system.sh('ls /var/lib/techtemp-install')).not.toContain('pending');

    const again = install(newer.file);
    expect(again.stdout).toContain('Nothing changed.');
    expect(again.status).toBe(0);
  });

  test('a release that ends again and again is left for the one before, and not tried again unless told so', async () => {
    await beginInstalled();
    const before = { current: linked('current'), config: system.read('/etc/techtemp/device.conf') };
    const broken = bundles.vary('crashes', (folder) => onRun(folder, 'process.exit(3);'));
    const { status: exit, stderr } = install(broken.file, '--room', 'Attic');
    expect(exit).toBe(1);
    expect(stderr).toMatch(/failed: \S+-crashes does not work here, techtemp-device: it ended \d+ times \(.*exit 3\)/);
    expect(stderr).toContain(`undone: the release ${before.current} is the current one again`);
    expect(stderr).toContain('undone: /etc/techtemp/device.conf is as it was');
    expect(stderr).toContain('undone: the services run as before');
    expect(linked('current')).toBe(before.current);
    expect(system.read('/etc/techtemp/device.conf')).toBe(before.config);
    expect(system.sh('ls /opt/techtemp/releases')).toBe(`${before.current}\n`);
    expect(system.sh('ls /var/lib/techtemp-install')).not.toContain('pending');
    untilStatus(/taken\)/);

    const second = install(broken.file);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/was tried before and left: .*it ended \d+ times[^]*--force/);
    expect(linked('current')).toBe(before.current);
    expect(install(broken.file, '--force').stderr).toContain('does not work here');
  });

  test('so is one that hangs at the start', async () => {
    await beginInstalled();
    const before = linked('current');
    const hangs = bundles.vary('hangs', (folder) =>
      onRun(folder, 'await new Promise(() => setInterval(() => {}, 1000));'),
    );
    const { stderr } = install(hangs.file, '--health-seconds', '10');
    expect(stderr).toMatch(/does not work here, techtemp-device: it is activating, after 10 s/);
    expect(linked('current')).toBe(before);
    untilStatus(/taken\)/);
  });

  test('and one that says it is ready and never publishes, with the words of what was missing', async () => {
    await beginInstalled();
    const before = linked('current');
    const silent = bundles.vary('silent', (folder) =>
      onRun(
        folder,
        `const { createRequire } = await import('node:module');
         const { sendState } = createRequire(import.meta.url)('sd-notify');
         sendState('READY=1');
         sendState('STATUS=21.00 °C, 40.00 %RH; 127.0.0.1:1883 is away (nonsense); 7 buffered');
         await new Promise(() => setInterval(() => {}, 1000));`,
      ),
    );
    const { stderr } = install(silent.file, '--health-seconds', '20');
    expect(stderr).toContain(
      'measured, but the broker has not taken it: 21.00 °C, 40.00 %RH; 127.0.0.1:1883 is away (nonsense)',
    );
    expect(linked('current')).toBe(before);
  });

  test('an upgrade while the broker is away is kept: measured and kept is all that can be asked', async () => {
    await beginInstalled();
    stopBroker();
    untilStatus(/is away/);
    const newer = bundles.vary('offline');
    const { status: exit, stdout, stderr } = install(newer.file);
    expect(stderr).not.toContain('failed');
    expect(exit).toBe(0);
    expect(stdout).toContain('measured and kept; the broker was away before too');
    expect(linked('current')).toBe(newer.name);
    startBroker();
    untilStatus(/\([1-9]\d* taken\); 0 buffered/);
  });

  test('a first installation without a broker stays installed, and says what is wrong in the words of the doctor', async () => {
    await begin();
    stopBroker();
    const { status: exit, stderr } = install(bundles.original, '--broker', '127.0.0.1', '--health-seconds', '10');
    expect(exit).toBe(1);
    expect(stderr).toMatch(
      /TechTemp is installed, but techtemp-device does not work yet: measured, but the broker has not taken it/,
    );
    expect(stderr).toMatch(/FAIL +MQTT broker +127\.0\.0\.1 is there, but nothing listens on port 1883/);
    expect(system.sh('systemctl is-active techtemp-device')).toBe('active\n');
    startBroker();
    untilStatus(/taken\)/);
    expect(install(bundles.original).status).toBe(0);
  });

  test('--rollback goes back, and once more forward again', async () => {
    await beginInstalled();
    const older = linked('current');
    const newer = bundles.vary('forward');
    install(newer.file);
    const { status: exit, stdout } = rollBack();
    expect(stdout).toContain(`TechTemp ${older} runs again`);
    expect(exit).toBe(0);
    expect([linked('current'), linked('previous')]).toEqual([older, newer.name]);
    untilStatus(/taken\)/);
    expect(rollBack().status).toBe(0);
    expect([linked('current'), linked('previous')]).toEqual([newer.name, older]);
  });

  test('--rollback without a release before says so and changes nothing', async () => {
    await beginInstalled();
    const before = linked('current');
    const { status: exit, stderr } = rollBack();
    expect(exit).toBe(1);
    expect(stderr).toContain('there is no release before');
    expect(linked('current')).toBe(before);
  });

  test('three releases are kept, the current and the one before among them', async () => {
    await beginInstalled();
    for (const id of ['one', 'two', 'three', 'four']) expect(install(bundles.vary(id).file).status).toBe(0);
    const kept = system.sh('ls /opt/techtemp/releases').trim().split('\n');
    expect(kept).toHaveLength(3);
    expect(kept).toContain(linked('current'));
    expect(kept).toContain(linked('previous'));
    expect(linked('current')).toMatch(/-four$/);
    expect(linked('previous')).toMatch(/-three$/);
  });

  test('an upgrade that is cut off after its switch is finished by techtemp-commit at boot, or by the next run', async () => {
    await beginInstalled();
    const older = linked('current');
    const newer = bundles.vary('cutoff');
    cutOff(newer.file, 'power');
    expect([linked('current'), linked('previous')]).toEqual([newer.name, '']);
    expect(system.read('/var/lib/techtemp-install/pending')).toContain(`old ${older}\n`);
    system.run('/opt/techtemp/current/systemd/techtemp-commit', [], { env: QUICK });
    expect(system.read('/var/lib/techtemp-install/pending')).toBeUndefined();
    expect([linked('current'), linked('previous')]).toEqual([newer.name, older]);

    const next = bundles.vary('cutoff2');
    cutOff(next.file, 'power');
    expect(install(next.file).status).toBe(0);
    expect(system.read('/var/lib/techtemp-install/pending')).toBeUndefined();
    expect([linked('current'), linked('previous')]).toEqual([next.name, newer.name]);
  });

  test('an upgrade whose connection is lost is finished without anybody doing anything', async () => {
    await beginInstalled();
    const older = linked('current');
    const newer = bundles.vary('lost');
    cutOff(newer.file, 'connection');
    system.sh('for i in {1..900}; do [ -e /var/lib/techtemp-install/pending ] || exit 0; sleep 0.2; done; exit 1');
    expect([linked('current'), linked('previous')]).toEqual([newer.name, older]);
  });

  test('a release that does not work and was cut off is left by techtemp-commit, with the unit files of the one before', async () => {
    await beginInstalled();
    const older = linked('current');
    const unit = system.read('/etc/systemd/system/techtemp-device.service');
    const broken = bundles.vary('cutcrash', (folder) => {
      onRun(folder, 'process.exit(3);');
      appendFileSync(join(folder, 'systemd/techtemp-device.service'), '# newer\n');
    });
    cutOff(broken.file, 'power');
    expect(linked('current')).toBe(broken.name);
    expect(system.read('/etc/systemd/system/techtemp-device.service')).not.toBe(unit);
    const { stdout } = system.run('/opt/techtemp/current/systemd/techtemp-commit', [], { env: QUICK });
    expect(stdout).toContain(`${older} runs again`);
    expect(linked('current')).toBe(older);
    expect(system.read('/etc/systemd/system/techtemp-device.service')).toBe(unit);
    expect(system.read('/var/lib/techtemp-install/refused-releases')).toContain(`${broken.name} `);
    expect(system.read('/var/lib/techtemp-install/pending')).toBeUndefined();
    untilStatus(/taken\)/);
  });

  const rollBack = (): RunResult => system.install(['--rollback', '--yes', '--health-seconds', '90'], { env: QUICK });
  /** Right after the services were told to start again. With the power techtemp-commit ends too, which waits for the installer. */
  const cutOff = (file: string, what: 'power' | 'connection'): void => {
    if (what === 'power') system.write('/run/fake-systemd/fail-start', '');
    // Not of techtemp-commit, to which the fake systemctl hands its environment on.
    const cut = `case $0 in *bootstrap-pi.sh) set -T; trap '[ "$BASH_COMMAND" != watch_units ] || kill -9 $BASHPID' DEBUG ;; esac`;
    system.write('/tmp/cut', cut);
    const args = ['--yes', '--skip-apt', '--no-watchdog', '--bundle', file, '--health-seconds', '90'];
    const { status: exit, stderr } = system.install(args, { env: { ...QUICK, BASH_ENV: '/tmp/cut' } });
    // The one that works was killed; the one that waits for it says 137.
    if (exit !== null && exit !== 137) throw new Error(`it was not cut off, but ended with ${exit}: ${stderr}`);
  };
  /** The folders of the journal: one epoch as long as nothing was lost or begun anew. */
  const epochs = (): string => system.sh('cd /var/lib/techtemp/journal && find . -mindepth 1 -type d | sort');
  const untilStatus = (wanted: RegExp): void => {
    for (let tries = 0; !wanted.test(status()); tries += 1) {
      if (tries > 600)
        throw new Error(
          `the status stays "${status()}": ${system.sh('tail -n 20 /run/fake-systemd/techtemp-device.service.log; pidof mosquitto || :')}`,
        );
      system.sh('sleep 0.2');
    }
  };
});

/** A release whose agent does something else when it is to run; every other command of it works. */
function onRun(folder: string, code: string): void {
  const file = join(folder, 'dist/techtemp-device.js');
  const [shebang, ...rest] = readFileSync(file, 'utf8').split('\n');
  writeFileSync(file, [shebang, `if (process.argv.includes('run')) { ${code} }`, ...rest].join('\n'));
}
