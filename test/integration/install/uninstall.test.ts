import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type FreshSystem,
  freshSystem,
  freshSystemMissing,
  PROJECT,
  type RunResult,
} from '../../support/fresh-system.ts';
import { provideProgram, runSteps, type StepOptions } from '../../support/install-steps.ts';

const UNIT = '/etc/systemd/system/techtemp-device.service';
const RECORDS = '/var/lib/techtemp-install';
const JOURNAL = '/var/lib/private/techtemp/journal/segment';

describe.skipIf(freshSystemMissing !== undefined)('removing an installation', () => {
  let system: FreshSystem;
  /** The machine before anything of ours. */
  let before: readonly string[];
  beforeEach(async () => {
    system = await freshSystem();
    await provideProgram(system, 'device');
    system.sh('groupadd -f -r i2c');
    before = names();
    installed();
  });
  afterEach(() => system.remove());

  test('leaves readings, settings and accounts, names them, and nothing else of ours stays', () => {
    const settings = system.read('/etc/techtemp/device.conf');
    const { status, stdout, stderr } = remove();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const kept of ['/var/lib/techtemp', '/etc/techtemp', '/etc/credstore/techtemp.mqtt-password'])
      expect(stdout).toContain(`    ${kept}\n`);
    expect(system.read(JOURNAL)).toBe('readings\n');
    expect(system.read('/etc/techtemp/device.conf')).toBe(settings);
    expect(system.calls()).toContain('systemctl disable --now techtemp-device.service');
    const kept = names().filter((name) => !before.includes(name));
    expect(kept.filter((name) => !/^\.\/(etc\/(techtemp|credstore)|var\/lib\/(private|techtemp))/.test(name))).toEqual(
      accountFiles,
    );
    expect(system.read(`${RECORDS}/manifest`)).not.toMatch(/^unit /m);
  });

  test('can be said twice, and the data can still be removed afterwards', () => {
    remove();
    const after = system.changedFiles().filter((line) => !line.includes('install.log'));
    expect(remove().stdout).toContain('Nothing changed.');
    expect(system.changedFiles().filter((line) => !line.includes('install.log'))).toEqual(after);
    expect(remove('--purge', '--yes').status).toBe(0);
    expect(system.read(JOURNAL)).toBeUndefined();
    expect(remove('--purge', '--yes').stdout).toContain('Nothing is installed here');
  });

  test('with --purge leaves the machine as it was, but for what the system itself has', () => {
    const { status, stderr } = remove('--purge', '--yes');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(names().filter((name) => !before.includes(name))).toEqual(accountFiles);
    expect(system.sh('getent group i2c >/dev/null && echo there; getent group techtemp || echo gone')).toBe(
      'there\ngone\n',
    );
  });

  test('removes folders that were made for it and are empty, and no others', () => {
    const made =
      'install_file /srv/made/deep/ours 0644 root:root <<<x; install_file /srv/shared/ours 0644 root:root <<<x';
    expect(runSteps(system, made).status).toBe(0);
    system.write('/srv/shared/theirs', '');
    remove();
    expect(system.sh('ls -d /srv/made /srv/shared /opt/techtemp 2>/dev/null || :')).toBe('/srv/shared\n');
    remove('--purge', '--yes');
    expect(system.sh('ls -d /srv/shared /etc/credstore 2>/dev/null || :')).toBe('/srv/shared\n');
  });

  test('with --purge wants a yes, and without one nothing is touched', () => {
    const files = system.changedFiles().filter((line) => !line.includes(RECORDS.slice(1)));
    const { status, stderr } = remove('--purge');
    expect(status).toBe(1);
    expect(stderr).toContain('--uninstall --purge --yes');
    const terminal = run(['--uninstall', '--purge'], { onTerminal: true, input: 'n\n' });
    expect(terminal.status).toBe(1);
    expect(system.changedFiles().filter((line) => !line.includes(RECORDS.slice(1)))).toEqual(files);
    expect(system.calls().join('\n')).not.toContain('disable');
  });

  test('with --purge says first how many readings nobody has got yet', () => {
    const asked = `device_command() { printf '"unreleased": 5,\\n"unreleasedReadings": 9,\\n"unreleased": 7,\\n'; }\n`;
    expect(run(['--uninstall', '--purge', '--yes'], {}, asked).stderr).toContain('12 readings have not been delivered');
  });

  test('leaves what is not ours where ours was', () => {
    system.write('/opt/techtemp/notes.txt', 'mine\n');
    system.write('/etc/mosquitto/conf.d/mine.conf', 'listener 1884\n');
    system.write(`${UNIT}.d/override.conf`, '[Service]\nNice=5\n');
    const { stdout } = remove();
    expect(stdout).toContain(`${UNIT}.d stays`);
    expect(stdout).toContain('notes.txt');
    for (const file of ['/opt/techtemp/notes.txt', '/etc/mosquitto/conf.d/mine.conf', `${UNIT}.d/override.conf`])
      expect(system.read(file), file).toBeDefined();
    system.sh(`sed -i 's|^#path =.*|path = /srv/journal|' /etc/techtemp/device.conf; mkdir -p /srv/journal`);
    expect(remove('--purge', '--yes').stdout).toContain('not /srv/journal');
    expect(system.run('test', ['-d', '/srv/journal']).status).toBe(0);
  });

  test('takes the watchdog out of systemd', () => {
    system.write('/etc/systemd/system.conf.d/60-techtemp.conf', '[Manager]\nRuntimeWatchdogSec=60\n');
    note('file /etc/systemd/system.conf.d/60-techtemp.conf');
    remove();
    expect(system.read('/etc/systemd/system.conf.d/60-techtemp.conf')).toBeUndefined();
    expect(system.calls()).toContain('systemctl daemon-reexec');
  });

  test('takes lines out of files of others with --purge alone, and only the one that was added', () => {
    const theirs = '[pi4]\ndtparam=i2c_arm=on\n[all]\nenable_uart=1\n';
    system.write('/boot/firmware/config.txt', `${theirs}[all]\ndtparam=i2c_arm=on\n`);
    note('line /boot/firmware/config.txt\tdtparam=i2c_arm=on');
    remove();
    expect(system.read('/boot/firmware/config.txt')).toBe(`${theirs}[all]\ndtparam=i2c_arm=on\n`);
    remove('--purge', '--yes');
    expect(system.read('/boot/firmware/config.txt')).toBe(theirs);
  });

  // 3
  test('with --purge removes all packages that came because of us, and none that was there before or that others need now', () => {
    offerPackages({
      ours: 'along, before-lib',
      along: 'deep',
      deep: '',
      shared: 'shared-lib',
      'shared-lib': '',
      theirs: 'shared',
      tool: 'wanted',
      wanted: '',
      cut: 'cut-lib',
      'cut-lib': '',
      before: 'before-lib',
      'before-lib': '',
      orphan: '',
    });
    system.sh('apt-get -q -y install tt-before tt-orphan; apt-mark auto tt-orphan');
    const machine = (): string =>
      system.sh(`dpkg-query -W -f '\${Package} \${db:Status-Status}\\n'; apt-mark showauto | sed 's/$/ auto/'`);
    const packages = machine();
    // In several runs, one of them killed in the middle of apt's work, with an uninstallation and another run between.
    expect(runSteps(system, 'install_packages tt-ours; apt install tt-orphan').status).toBe(0);
    runSteps(system, `apt_get() { run apt-get -q -y "$@" && kill -9 $$; }\ninstall_packages tt-cut`);
    expect(remove().stdout).toContain('packages that were brought: tt-ours');
    installed();
    expect(runSteps(system, 'install_packages tt-shared tt-tool tt-cut').status).toBe(0);
    system.sh('apt-get -q -y install tt-theirs tt-wanted');
    const { status, stdout } = remove('--purge', '--yes');
    expect(status).toBe(0);
    expect(stdout).toContain('the package tt-shared stays: tt-theirs');
    const added = machine()
      .split('\n')
      .filter((line) => !packages.split('\n').includes(line));
    // What others need is not marked as wanted by us any more: it goes when they do.
    expect(added.sort()).toEqual([
      'tt-shared auto',
      'tt-shared installed',
      'tt-shared-lib auto',
      'tt-shared-lib installed',
      'tt-theirs installed',
      'tt-wanted installed',
    ]);
    expect(packages.split('\n').filter((line) => !machine().split('\n').includes(line))).toEqual([]);
    // Each call of apt reads all lists of this machine anew.
  }, 400_000);

  test('where apt gives no answer, nobody knows what depends on a package, and it stays', () => {
    note('package bash');
    system.write('/usr/local/bin/apt-get', '#!/bin/sh\nexit 100\n', 0o755);
    const { status, stderr } = remove('--purge', '--yes');
    expect(status).toBe(0);
    expect(stderr).toContain('apt does not say what depends on bash');
  });

  test('of one instance of the server leaves everything else alone', () => {
    system.sh('useradd -r x 2>/dev/null || :; mkdir -p /var/lib/private/techtemp-server-staging');
    system.sh('ln -s private/techtemp-server-staging /var/lib/techtemp-server-staging');
    system.write('/etc/techtemp/server-staging.conf', '');
    system.sh(`cp ${PROJECT}/systemd/techtemp-server@.service /etc/systemd/system/`);
    note('unit techtemp-server@staging.service');
    run(['--uninstall', '--instance', 'staging']);
    expect(system.calls().join('\n')).not.toContain('disable --now techtemp-device');
    expect(system.read('/etc/techtemp/server-staging.conf')).toBe('');
    run(['--uninstall', '--instance', 'staging', '--purge', '--yes']);
    expect(system.sh('ls /etc/techtemp /var/lib /var/lib/private | grep staging || echo none')).toBe('none\n');
    expect(system.read(JOURNAL)).toBe('readings\n');
    expect(system.read(UNIT)).toBeDefined();
  });

  test('says how the older agent comes back', () => {
    system.write(`${RECORDS}/older-agent/techtemp-device.service`, '[Service]\n');
    expect(remove().stdout).toContain(`sudo cp ${RECORDS}/older-agent/techtemp-device.service`);
    remove('--purge', '--yes');
    expect(system.read(`${RECORDS}/older-agent/techtemp-device.service`)).toBe('[Service]\n');
  });

  test('in a dry run is only told', () => {
    const files = system.changedFiles();
    const { stdout } = remove('--dry-run', '--purge');
    expect(stdout).toContain('$ systemctl disable --now techtemp-device.service');
    expect(stdout).toContain('nothing was changed');
    expect(system.changedFiles()).toEqual(files);
  });

  /** An agent that has measured. */
  function installed(): void {
    const steps = ['RELEASE_DIR=/project', 'provide_accounts', 'write_device_config', 'write_units'];
    const given = { args: ['--broker', 'b', '--username', 'u', '--password', 'p'] };
    const { status, stderr } = runSteps(system, steps.join('\n'), given);
    if (status !== 0) throw new Error(stderr);
    system.sh(`mkdir -p /opt/techtemp/releases/1 && ln -s releases/1 /opt/techtemp/current
      mkdir -m 700 -p /var/lib/private && ln -s private/techtemp /var/lib/techtemp`);
    system.write(JOURNAL, 'readings\n');
    system.sh('systemctl start techtemp-device || :');
  }

  /** Tools that keep the groups of a machine leave copies of their files. */
  const accountFiles = expect.toSatisfy((files: readonly string[]) =>
    files.every((name) => /^\.\/etc\/(group|gshadow|passwd|shadow|subuid|subgid)-?$/.test(name)),
  ) as unknown;

  /** Files, not folders, that are not as the machine came. */
  function names(): readonly string[] {
    return system.changedFiles().flatMap((line) => /^(\S+) [a-z] /.exec(line)?.[1] ?? []);
  }

  /** A repository of packages `tt-NAME`, each with what it needs. */
  function offerPackages(needs: Readonly<Record<string, string>>): void {
    const controls = Object.entries(needs).map(([name, depends]) => {
      const field = depends === '' ? '' : `Depends: ${depends.replaceAll(/(^|, )/g, '$1tt-')}\n`;
      return `Package: tt-${name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\n${field}Description: x\n`;
    });
    system.write('/tmp/controls', controls.map((control) => `${control}\0`).join(''));
    // A package without a file of its own would disappear as soon as another has the same folders.
    system.sh(`rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*; mkdir -p /repo /tmp/deb/DEBIAN /tmp/deb/usr/share
      echo 'DPkg::Options { "--no-triggers"; "--force-unsafe-io"; };' >/etc/apt/apt.conf.d/99quick
      while IFS= read -r -d '' control; do
        printf '%s' "$control" >/tmp/deb/DEBIAN/control; name=$(sed -n 's/^Package: //p' /tmp/deb/DEBIAN/control)
        rm -f /tmp/deb/usr/share/*; : >"/tmp/deb/usr/share/$name-of-a-test"
        dpkg-deb -Znone --build /tmp/deb "/repo/\${name}_1_all.deb"
      done </tmp/controls`);
    system.write('/etc/apt/sources.list.d/list.list', 'deb [trusted=yes] file:/repo ./\n');
    system.sh(`cd /repo; for deb in *.deb; do dpkg-deb --field $deb; echo "Filename: ./$deb"; echo "Size: $(stat -c %s $deb)"
      echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"; echo; done >Packages; apt-get -q update`);
  }

  function note(line: string): void {
    system.sh(`printf '%s\\n' '${line}' >>${RECORDS}/manifest`);
  }

  function remove(...args: string[]): RunResult {
    return run(['--uninstall', ...args]);
  }

  function run(args: readonly string[], options: StepOptions = {}, before = ''): RunResult {
    return runSteps(system, `${before}uninstall`, { ...options, args });
  }
});
