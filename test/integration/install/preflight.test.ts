import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type FreshSystem,
  freshSystem,
  freshSystemMissing,
  PROJECT,
  type RunResult,
} from '../../support/fresh-system.ts';
import { runSteps, type StepOptions } from '../../support/install-steps.ts';

const skipped = freshSystemMissing === undefined ? '' : ` (skipped: ${freshSystemMissing})`;

describe.skipIf(freshSystemMissing !== undefined)(`whether a machine can take the installation${skipped}`, () => {
  let system: FreshSystem;
  beforeEach(async () => {
    system = await freshSystem();
  });
  afterEach(() => system.remove());

  test('an ordinary one can, without a warning and without a change', () => {
    const before = system.changedFiles();
    const { status, stdout, stderr } = preflight();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(', systemd ');
    const changed = system
      .changedFiles()
      .filter((line) => !before.includes(line) && !line.includes('techtemp-install'));
    expect(changed.filter((line) => !/^\.\/var(\/lib)? /.test(line))).toEqual([]);
  });

  test('32 bit is what dpkg says, whatever the kernel calls itself; ARMv6 is named', () => {
    stub('dpkg', 'case $* in --print-architecture) echo armhf ;; *) exit 0 ;; esac');
    stub('uname', 'echo aarch64');
    expect(preflight().stdout).toContain(', armhf\n');
    stub('uname', 'echo armv6l');
    expect(preflight().stderr).toContain('first Raspberry Pis (ARMv6)');
    expect(preflight({ args: ['--with-server'] }).stderr).toContain('the server needs more than an ARMv6 Raspberry Pi');
  });

  test.each([
    [
      'a newer Debian',
      'PRETTY_NAME="Debian GNU/Linux 14 (forky)"\nID=debian\nVERSION_ID="14"\n',
      'was not tried; going on',
    ],
    [
      'a relative',
      'PRETTY_NAME="Ubuntu 26.04"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="26.04"\n',
      'was not tried; going on',
    ],
    ['a stranger', 'PRETTY_NAME="Something"\nID=something\n', 'is not Debian or a relative of it; going on'],
  ])('%s is judged by what it can do, with a warning', (_, release, words) => {
    system.sh('rm /etc/os-release');
    system.write('/etc/os-release', release);
    const { status, stderr } = preflight();
    expect(status).toBe(0);
    expect(stderr).toContain(words);
  });

  test('an old systemd, and none at all, are refused with what is needed', () => {
    stub('systemd-analyze', 'echo "systemd 247 (247.3-7)"');
    const old = preflight();
    expect(old.status).toBe(1);
    expect(old.stderr).toContain('systemd 247 is too old: 252 is needed');
    system.sh('rmdir /run/systemd/system');
    const without = preflight();
    expect(without.status).toBe(1);
    expect(without.stderr).toContain('systemd does not run here');
  });

  test.each(['overlay rw,relatime', 'tmpfs rw'])('a file system in memory is refused, with the reason: %s', (kind) => {
    system.write('/run/fake-systemd/file-system', kind);
    const { status, stderr } = preflight();
    expect(status).toBe(1);
    expect(stderr).toContain('would be gone after the next start');
    expect(stderr).toContain('raspi-config nonint do_overlayfs 1');
    expect(preflight({ args: ['--force'] }).status).toBe(0);
  });

  test('one that is read-only, or full, is refused with what to do', () => {
    system.write('/run/fake-systemd/file-system', 'ext4 ro,relatime');
    expect(preflight().stderr).toContain('is mounted read-only');
    system.write('/run/fake-systemd/file-system', 'ext4 rw,relatime');
    stub('df', 'printf "h\\n/dev/x 100 90 10 90%% /\\n"');
    const { status, stderr } = preflight();
    expect(status).toBe(1);
    expect(stderr).toMatch(/has 10 MB free, \d+ MB are needed/);
  });

  describe('its clock', () => {
    test('in the past is named, with both times and what to do', () => {
      system.write('/run/fake-systemd/ntp-synchronized', 'no');
      system.sh(`touch -d '2031-05-06' ${PROJECT}/package.json`);
      const { status, stderr } = preflight();
      expect(status).toBe(1);
      expect(stderr).toMatch(/the clock says 20.*but this system has files of 2031-05-06 .*: it is in the past/);
      expect(stderr).toContain("sudo date -s '2031-05-06 12:00'");
    });

    test('not set but plausible is a warning: an offline Pi is installed all the same', () => {
      system.write('/run/fake-systemd/ntp-synchronized', 'no');
      const { status, stderr } = preflight();
      expect(status).toBe(0);
      expect(stderr).toContain('the clock was not set from the network');
    });

    test('that is being set is waited for', () => {
      system.write('/run/fake-systemd/ntp-synchronized', 'no');
      system.sh('ip route add default dev lo');
      const { status, stdout, stderr } = runSteps(
        system,
        oncePrinted('waiting up to 30 s', 'preflight', 'echo yes >/run/fake-systemd/ntp-synchronized'),
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('waiting up to 30 s');
    });
  });

  describe('its packages', () => {
    test('an apt that is at work is waited for, by name', () => {
      holdLock('/var/lib/dpkg/lock-frontend');
      const step = 'wait_for_apt; ! pidof perl && echo went on';
      const { status, stdout } = runSteps(system, oncePrinted('waiting for it', step, 'pkill perl'));
      expect(status).toBe(0);
      expect(stdout).toMatch(/apt is at work for perl \(process \d+\): waiting for it\n.*went on\n$/s);
    });

    test('for so long, and no longer; also where it is the lists that are locked', () => {
      holdLock('/var/lib/apt/lists/lock');
      const { status, stderr } = runSteps(system, 'APT_LOCK_SECONDS=1; wait_for_apt');
      expect(status).toBe(1);
      expect(stderr).toMatch(/apt was still locked by perl \(process \d+\) after 1 s/);
    });

    test('an interrupted installation of packages is completed first', () => {
      stub(
        'dpkg',
        'case $* in --print-architecture) echo amd64 ;; --audit) [ -e /tmp/whole ] || echo broken ;; "--configure -a") touch /tmp/whole ;; esac',
      );
      expect(preflight().stdout).toContain('completed the interrupted installation of packages');
      expect(preflight().stdout).not.toContain('interrupted');
    });

    test('with --skip-apt nothing is installed, and what is missing is named', () => {
      const { status, stderr } = runSteps(system, 'install_packages there-is-no-such-package', {
        args: ['--skip-apt'],
      });
      expect(status).toBe(1);
      expect(stderr).toContain('missing: there-is-no-such-package, and --skip-apt was given');
      expect(stderr).toContain('sudo apt install there-is-no-such-package');
    });
  });

  describe('its ports', () => {
    const listen = (port: number): void =>
      system.listener(
        port,
        `exec perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); bind(S, sockaddr_in(${port}, INADDR_ANY)); listen(S, 1); sleep'`,
      );

    test.each([
      [3000, ['--with-server'], 'which the server wants, is taken by perl (process'],
      [1883, ['--with-broker'], 'which the broker wants, is taken by perl (process'],
      [3100, ['--with-server', '--http-port', '3100'], 'which the server wants, is taken by perl (process'],
    ])('%i taken by somebody else is refused, and by whom it is taken is said', (port, args, words) => {
      listen(port);
      const { status, stderr } = preflight({ args });
      expect(status).toBe(1);
      expect(stderr).toContain(`port ${port}, ${words}`);
    });

    test('a port that nobody here wants may be taken', () => {
      listen(3000);
      listen(1883);
      expect(preflight().status).toBe(0);
    });

    test("the port is that of the server's settings", () => {
      system.write('/etc/techtemp/server.conf', '[mqtt]\nport = 3000\n[http]\nport = 3777\n');
      listen(3000);
      expect(preflight({ args: ['--with-server'] }).status).toBe(0);
      listen(3777);
      expect(preflight({ args: ['--with-server'] }).stderr).toContain('port 3777');
    });
  });

  function preflight(options: StepOptions = {}): RunResult {
    return runSteps(system, 'preflight', options);
  }
  /** In front of the real one. */
  function stub(name: string, script: string): void {
    system.write(`/usr/local/sbin/${name}`, `#!/bin/bash\n${script}\n`, 0o755);
  }
  /** As apt does it: a record lock, which flock(1) knows nothing of. */
  function holdLock(path: string): void {
    const lock = `open(F, "+>>", "${path}") or die; my $l = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die`;
    system.background(
      `exec perl -e 'use Fcntl; $| = 1; ${lock}; print "held"; sleep' >/tmp/holder`,
      '/tmp/holder',
      'held',
    );
  }
  /** A script that runs a step, and something else once the step has printed these words. */
  function oncePrinted(words: string, step: string, then: string): string {
    return `rm -f /tmp/printed; { ${step}; } >/tmp/printed & step=$!
      until grep -qs '${words}' /tmp/printed || ! kill -0 "$step" 2>/dev/null; do sleep 0.05; done
      ${then}; wait "$step" && status=0 || status=$?; cat /tmp/printed; exit "$status"`;
  }
});
