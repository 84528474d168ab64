import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FreshSystem, freshSystem, freshSystemMissing, PROJECT } from '../../support/fresh-system.ts';
import { runSteps } from '../../support/install-steps.ts';

const skipped = freshSystemMissing === undefined ? '' : ` (skipped: ${freshSystemMissing})`;

describe.skipIf(freshSystemMissing !== undefined)(`a step of the installer that fails${skipped}`, () => {
  let system: FreshSystem;
  beforeEach(async () => {
    system = await freshSystem();
  });
  afterEach(() => system.remove());

  const twoFiles = `step 'two files'
    install_file /etc/hosts 0644 root:root <<<'changed' || :
    printf '%s\\n' new | install_file /etc/techtemp/new/file 0640 root:root || :`;

  test('says what failed and what to do, and takes back what it had done, last things first', () => {
    const hosts = system.read('/etc/hosts');
    const { status, stderr } = runSteps(system, `${twoFiles}\nfail 'the third is not to be had' 'bring it'`);
    expect(status).toBe(1);
    expect(stderr.trim().split('\n')).toEqual([
      'failed: the third is not to be had',
      'undone: /etc/techtemp/new/file removed',
      'undone: /etc/techtemp/new removed',
      'undone: /etc/techtemp removed',
      'undone: /etc/hosts is as it was',
      'to do:  bring it',
      'log:    /var/lib/techtemp-install/install.log',
    ]);
    expect(system.read('/etc/hosts')).toBe(hosts);
    expect(system.sh('ls /etc/techtemp 2>&1 || :')).toContain('No such file');
    expect(system.read('/var/lib/techtemp-install/manifest')).toBe('');
    expect(system.read('/var/lib/techtemp-install/install.log')).toContain('failed: the third is not to be had');
  });

  test('when nobody expected it, the command is named with its file and line', () => {
    system.write(`${PROJECT}/scripts/install/zz-test.sh`, 'broken_step() {\n  step "a step"\n  cat /nowhere\n}\n');
    const { status, stderr } = runSteps(system, `${twoFiles}\nbroken_step`);
    expect(status).toBe(1);
    expect(stderr).toContain('failed: a step: cat /nowhere (line 3 of zz-test.sh), exit 1');
    expect(stderr).toContain('undone: /etc/hosts is as it was');
    expect(stderr).toContain('log:    /var/lib');
  });

  test('a failure inside of $(...) or of a pipe is told once, and ends the whole', () => {
    for (const script of [
      'words=$(fail "no words" "find some")\necho went on',
      'fail "no words" "find some" | cat\necho went on',
    ]) {
      const { status, stdout, stderr } = runSteps(system, `${twoFiles}\n${script}`);
      expect(status).toBe(1);
      expect(stdout).not.toContain('went on');
      expect(stderr.match(/^failed: .*/gm)).toEqual(['failed: no words']);
      expect(stderr).toContain('to do:  find some');
      expect(stderr).toContain('undone: /etc/hosts is as it was');
    }
  });

  test('what is committed stays', () => {
    const { stderr } = runSteps(system, `${twoFiles}\ncommitted\nfail 'later'`);
    expect(stderr).not.toContain('undone');
    expect(system.read('/etc/techtemp/new/file')).toBe('new\n');
  });

  test('what cannot be undone is named, and the rest is undone all the same', () => {
    const { stderr } = runSteps(system, `${twoFiles}\non_undo 'the impossible undone' false\nfail 'later'`);
    expect(stderr).toContain('could not be undone: the impossible undone');
    expect(stderr).toContain('undone: /etc/hosts is as it was');
  });

  test.each(['INT', 'TERM', 'HUP'])('a signal is a failure like another: SIG%s', (signal) => {
    const { status, stderr } = runSteps(system, `${twoFiles}\nkill -${signal} $$\necho went on`);
    expect(status).toBeGreaterThan(128);
    expect(stderr).toContain('undone: /etc/hosts is as it was');
  });

  test('nobody listens any more: the way back is walked to its end', () => {
    const hosts = system.read('/etc/hosts');
    const deaf = 'exec 1> >(true) 2>&1; wait $!';
    runSteps(system, `${twoFiles}\n${deaf}\nsay 'a word'\nrun touch /tmp/on`);
    expect(system.read('/tmp/on')).toBeUndefined();
    expect(system.read('/etc/hosts')).toBe(hosts);
    expect(system.read('/var/lib/techtemp-install/install.log')).toContain('undone: /etc/hosts is as it was');
  });

  test('nothing is left in /tmp and /run, whether it succeeds or fails', () => {
    for (const end of [':', 'false', 'fail x', 'exit 3']) {
      runSteps(system, `${twoFiles}\n${end}`);
      expect(system.sh('ls /tmp /run | grep techtemp || :')).toBe('');
    }
  });

  test('a file is written whole or not at all, and only when it differs in content, mode or owner', () => {
    const write = (mode: string): string =>
      runSteps(system, `install_file /etc/x ${mode} root:root <<<'one' && echo written || echo same`).stdout;
    expect(write('0644')).toContain('written');
    expect(write('0644')).toBe('same\n');
    expect(write('0600')).toContain('written');
    system.sh('chown nobody /etc/x');
    expect(write('0600')).toContain('written');
    expect(system.sh('stat -c "%a %U" /etc/x; ls -d /etc/x /etc/x.* 2>/dev/null || :')).toBe('600 root\n/etc/x\n');
  });

  test('a full disk is named, and the file that was there stays', () => {
    system.sh(
      'mkdir /mnt/small; mount -t tmpfs -o size=16k tmpfs /mnt/small; echo before >/mnt/small/x; head -c 12000 /dev/zero >/mnt/small/y',
    );
    const { status, stderr } = runSteps(
      system,
      `head -c 20000 /dev/zero | install_file /mnt/small/x 0644 root:root || :`,
    );
    expect(status).toBe(1);
    expect(stderr).toContain('/mnt/small/x could not be written');
    expect(system.sh('cat /mnt/small/x; ls /mnt/small')).toBe('before\nx\ny\n');
  });

  test('a second run beside the first is refused', () => {
    const script = `one_at_a_time; bash -c 'flock -n /run/lock/techtemp-install.lock true' && echo free || echo taken`;
    expect(runSteps(system, script).stdout).toBe('taken\n');
    const other = 'exec flock /run/lock/techtemp-install.lock bash -c "echo held >/tmp/other; exec sleep infinity"';
    system.background(other, '/tmp/other', 'held');
    const { status, stdout, stderr } = runSteps(system, 'one_at_a_time; echo went on');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('another run of this script is at work');
  });

  test('of a script that was cut short in a download, not one command is carried out', () => {
    const { length } = readFileSync('bootstrap-pi.sh');
    const points = Array.from({ length: 50 }, (_, index) => Math.floor((index * length) / 50));
    // Without the newline at the very end it is whole.
    points.push(length - 2, length - 3, length - 5, length - 9, length - 14);
    system.write('/tmp/points', points.join('\n'));
    const before = system.changedFiles();
    const traced = system.sh(`while read -r length || [ -n "$length" ]; do
        head -c "$length" ${PROJECT}/bootstrap-pi.sh >/tmp/cut
        { bash -x /tmp/cut --uninstall --purge --yes </dev/null 2>&1 || :; } | grep '^+' || :
      done </tmp/points | sort -u`);
    expect(traced).toBe('+ set -euo pipefail\n');
    expect(system.changedFiles()).toEqual(before);
    expect(system.sh(`bash -x ${PROJECT}/bootstrap-pi.sh --version 2>&1`)).toContain('+ main --version');
  });

  test('of a bundle whose parts were cut short, nothing is carried out either', () => {
    system.sh(`cd ${PROJECT}; find scripts/install bootstrap-pi.sh -type f -exec sha256sum {} + >SHA256SUMS`);
    const part = `${PROJECT}/scripts/install/packages.sh`;
    system.sh(
      `head -c 2000 ${part} >/tmp/cut; grep -n '^}' /tmp/cut | tail -n 1 | cut -d: -f1 >/tmp/line; head -n "$(cat /tmp/line)" ${part} >/tmp/cut; cp /tmp/cut ${part}`,
    );
    const before = system.changedFiles();
    const { status, stderr } = system.install(['--yes']);
    expect(status).toBe(1);
    expect(stderr).toContain('packages.sh');
    expect(system.changedFiles()).toEqual(before);
  });
});
