import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FreshSystem, freshSystem, freshSystemMissing, type RunResult } from '../../support/fresh-system.ts';
import { runSteps } from '../../support/install-steps.ts';
import { type Bundles, makeBundles } from '../../support/release-bundles.ts';

const skipped = freshSystemMissing === undefined ? '' : ` (skipped: ${freshSystemMissing})`;
/** Of a program that a signal has ended. */
const KILLED = null;
const FACTS =
  'NODE_BIN=/usr/bin/node NODE_VERSION=$(/usr/bin/node -p process.versions.node) ARCHITECTURE=$(dpkg --print-architecture)';

describe.skipIf(freshSystemMissing !== undefined)(`the staging of a release${skipped}`, { timeout: 400_000 }, () => {
  let bundles: Bundles;
  let system: FreshSystem;

  beforeAll(() => {
    bundles = makeBundles();
  }, 300_000);
  afterAll(() => bundles.remove());
  beforeEach(async () => {
    system = await freshSystem({ shared: [bundles.folder] });
  });
  afterEach(() => system.remove());

  const stage = (file: string, script = '', env: Record<string, string> = {}): RunResult =>
    runSteps(
      system,
      `${FACTS}\nBUNDLE_FILE=${file}\n${script}\nstage_release\nrm -rf "$SCRATCH"\ntrap - EXIT\necho "is $RELEASE_NAME"`,
      { args: ['--yes', '--skip-apt'], env },
    );
  const releases = (): string => system.sh('ls -A /opt/techtemp/releases 2>/dev/null || :').trim();
  const altered = (name: string, edit: (bytes: Buffer) => Buffer): string => {
    const file = join(bundles.folder, `${name}.tar.gz`);
    writeFileSync(file, edit(readFileSync(bundles.original)));
    return file;
  };

  test('takes a whole bundle, which belongs to root and can be read by the services, and leaves nothing else', () => {
    const { status, stdout, stderr } = stage(bundles.original);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const name = /^is (.*)$/m.exec(stdout)?.[1];
    expect(releases()).toBe(name);
    expect(system.sh(`find /opt/techtemp/releases/${name} ! -user root -o ! -perm -0444 -o -perm /022 | head`)).toBe(
      '',
    );
    expect(stage(bundles.original).stdout).toContain('is there already');
  });

  // 5
  test('a release that is finished stays when a later step fails, and the next run uses it', () => {
    const steps = `${FACTS}\nBUNDLE_FILE=${bundles.original}\nstage_release\nfail 'no broker'`;
    const { status, stderr } = runSteps(system, steps, { args: ['--yes', '--skip-apt'] });
    expect(status).toBe(1);
    expect(stderr).not.toContain('undone');
    expect(releases()).toMatch(/^\d\S+$/);
    expect(stage(bundles.original).stdout).toContain('is there already');
  });

  test.each([0, 1, 100, 10_000, 1_000_000, -1])('refuses a bundle that ends after %i bytes', (length) => {
    const { status, stderr } = stage(
      altered(`short${length}`, (bytes) => bytes.subarray(0, length < 0 ? bytes.length + length : length)),
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/is damaged or not complete: \d+ bytes/);
    expect(system.sh('ls /opt/techtemp 2>&1 || :')).toContain('No such file');
  });

  test('refuses a bundle of which a byte has changed, wherever that is', () => {
    for (let tenth = 1; tenth < 10; tenth += 1) {
      const file = altered(`flip${tenth}`, (bytes) => {
        const at = Math.floor((bytes.length * tenth) / 10);
        bytes[at] = bytes[at]! ^ 0x10;
        return bytes;
      });
      expect({ tenth, status: stage(file).status }).toEqual({ tenth, status: 1 });
    }
    expect(releases()).toBe('');
  });

  test.each([
    [
      'a file that has changed',
      (folder: string) => writeFileSync(join(folder, 'README.md'), 'other'),
      /damaged: README\.md: FAILED/,
    ],
    ['a file that is missing', (folder: string) => rmSync(join(folder, 'README.md')), /damaged: .*README\.md/],
    [
      'a file too many',
      (folder: string) => writeFileSync(join(folder, 'dist/extra.js'), ''),
      /damaged: dist\/extra\.js is in it, but not in its list/,
    ],
    ['no list', (folder: string) => rmSync(join(folder, 'SHA256SUMS')), /damaged: SHA256SUMS is missing/],
  ])('refuses a bundle with %s', (what, edit, words) => {
    const { file } = bundles.vary(what.replaceAll(' ', ''), undefined, edit);
    const { status, stderr } = stage(file);
    expect(status).toBe(1);
    expect(stderr).toMatch(words);
    expect(releases()).toBe('');
  });

  test('refuses what is no bundle: another archive, a text, nothing', () => {
    system.sh(
      'mkdir -p /tmp/other/x && ln -s /etc/passwd /tmp/other/x/link && tar czf /tmp/other.tar.gz -C /tmp/other x',
    );
    system.sh('mkdir -p /tmp/up/techtemp-1 && tar czf /tmp/up.tar.gz -C /tmp/up --transform=s,^,../, -P techtemp-1');
    system.sh('echo "<html>404" >/tmp/page.tar.gz');
    expect(stage('/tmp/other.tar.gz').stderr).toContain('/tmp/other.tar.gz is not a bundle of TechTemp');
    expect(stage('/tmp/up.tar.gz').stderr).toContain('is not a bundle of TechTemp');
    expect(stage('/tmp/page.tar.gz').stderr).toContain('is damaged or not complete');
    expect(stage('/tmp/nothing.tar.gz').stderr).toContain('there is no file /tmp/nothing.tar.gz');
  });

  test('refuses a bundle whose checksum beside it is another', () => {
    system.sh(`cp ${bundles.original} /tmp/b.tar.gz; echo "0000  b.tar.gz" >/tmp/b.tar.gz.sha256`);
    expect(stage('/tmp/b.tar.gz').stderr).toContain(
      '/tmp/b.tar.gz has another checksum than /tmp/b.tar.gz.sha256 says',
    );
    system.sh(`cd /tmp; rm b.tar.gz.sha256; printf '%s\\n' '1111  other.tar.gz' '0000  b.tar.gz' >SHA256SUMS`);
    expect(stage('/tmp/b.tar.gz').stderr).toContain('/tmp/b.tar.gz has another checksum than /tmp/SHA256SUMS says');
  });

  test('says for what a bundle was made that does not fit here, and what else would do, when compiling fails', () => {
    const { file } = bundles.vary('otherabi', (folder) => {
      for (const name of ['i2c-bus', 'sd-notify'])
        rmSync(join(folder, 'node_modules', name, 'lib/binding'), { recursive: true });
    });
    const { status, stdout, stderr } = stage(file, 'compile_native() { fail "no compiler here" "bring one"; }');
    expect(status).toBe(1);
    expect(stdout).toMatch(/does not fit here \(Node\.js 2.*, ABI \d+, \w+\): sd-notify, i2c-bus/);
    expect(stdout).toMatch(/i2c-bus amd64 node\d+|i2c-bus arm/);
    expect(stderr).toContain('no compiler here');
    expect(releases()).toBe('');
  });

  test('compiles what does not fit, and the release is whole all the same', () => {
    const { file, name } = bundles.vary('compiled', (folder) => {
      const binding = join(folder, 'node_modules/i2c-bus/lib/binding');
      rmSync(binding, { recursive: true });
      mkdirSync(binding);
      writeFileSync(join(binding, 'empty'), '');
    });
    const { status, stderr } = stage(file, 'provide_build_tools() { :; }');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(system.sh(`cd /opt/techtemp/releases/${name} && cat COMPILED && ls -A`)).toMatch(
      /^i2c-bus on this machine, for Node\.js v/,
    );
    expect(system.sh(`cd /opt/techtemp/releases/${name} && ls -A && find . -name build`)).not.toMatch(
      /\.compile|build/,
    );
    expect(stage(file).stdout).toContain('is there already');
  });

  test('takes nothing from before the first Raspberry Pis, but compiles for them', () => {
    const { status, stdout } = stage(bundles.original, 'ARMV6=1; rm() { echo "rm $*"; command rm "$@"; }');
    expect(status).toBe(0);
    expect(stdout).toMatch(/rm -rf .*node_modules.*node-v\*-linux-arm/);
  });

  test('makes a damaged release anew beside the one on the disk', () => {
    const name = /^is (.*)$/m.exec(stage(bundles.original).stdout)?.[1];
    system.sh(`echo rot >>/opt/techtemp/releases/${name}/dist/techtemp-device.js`);
    const { status, stdout, stderr } = stage(bundles.original);
    expect(stderr).toMatch(/on the disk is damaged: dist\/techtemp-device\.js: FAILED/);
    expect(stdout).toContain(`is ${name}.again`);
    expect(status).toBe(0);
  });

  test.each([200, 2000, 8000])('on a disk with %i KB nothing is left of it, and the reason is told', (size) => {
    system.sh(`mkdir /opt/techtemp && mount -t tmpfs -o size=${size}k tmpfs /opt/techtemp`);
    const { status, stderr } = stage(bundles.original);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /could not be unpacked[^]*undone: the unfinished release is gone[^]*MB are free on \/opt\/techtemp: make room/,
    );
    expect(releases()).toBe('');
  });

  test('cut off before any of its commands, it leaves no half of a release, and the next run makes it whole', () => {
    let cuts = 0;
    for (let at = 1; ; at += 1) {
      system.write('/tmp/cut', cutBefore('^(run|mkdir|tar|mv|sync|touch|chmod|chown|rm) ', 'discard_leftovers', at));
      const { status, stdout, stderr } = stage(bundles.original, '', { BASH_ENV: '/tmp/cut' });
      const whole = releases()
        .split('\n')
        .filter((name) => name !== '' && !name.startsWith('.'));
      for (const name of whole)
        system.sh(`cd /opt/techtemp/releases/${name} && sha256sum --check --strict --quiet SHA256SUMS`);
      if (status === 0) {
        expect(stdout).toContain('is there already');
        break;
      }
      expect(status, stderr).toBe(KILLED);
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(8);
    expect(releases()).not.toMatch(/^\./m);
  });

  test('a switch that is cut off before any of its commands leaves one of both releases, and the note of where it came from', () => {
    const seen = new Set<string>();
    for (let at = 1; ; at += 1) {
      system.sh(
        'rm -rf /opt/techtemp /var/lib/techtemp-install; mkdir -p /opt/techtemp/releases/{one,two} /var/lib/techtemp-install; ln -s releases/one /opt/techtemp/current',
      );
      system.write('/tmp/cut', cutBefore('.', 'take_release', at));
      const script = `RELEASE_NAME=two RELEASE_DIR=$RELEASES/two RELEASE_IS_NEW=1 OLD_RELEASE=one AWAITED=(techtemp-device.service)
        take_release
        trap - EXIT`;
      const { status } = runSteps(system, script, { args: ['--yes'], env: { BASH_ENV: '/tmp/cut' } });
      const current = system.sh('readlink /opt/techtemp/current; ls -d /opt/techtemp/current/').split('\n')[0]!;
      seen.add(current);
      expect(['releases/one', 'releases/two']).toContain(current);
      if (current === 'releases/two')
        expect(system.read('/var/lib/techtemp-install/pending')).toMatch(/^old one\nnew two\n/);
      if (status === 0) break;
      expect(status).toBe(KILLED);
    }
    expect([...seen].sort()).toEqual(['releases/one', 'releases/two']);
  });
});

/** For BASH_ENV: ends the shell without a word before the n-th command like `pattern` after the first call of `begin`. */
function cutBefore(pattern: string, begin: string, at: number): string {
  return `set -T
cut_count=0 cut_on=
cut() {
  case $1 in ${begin}*) cut_on=1 ;; esac
  [ -n "$cut_on" ] && [[ $1 =~ ${pattern.replaceAll(' ', '\\ ')} ]] && [ $((++cut_count)) = ${at} ] && kill -9 $$
  return 0
}
trap 'cut "$BASH_COMMAND"' DEBUG
`;
}
