import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type FreshSystem,
  freshSystem,
  freshSystemMissing,
  type RunOptions,
  type RunResult,
} from '../../support/fresh-system.ts';

const skipped = freshSystemMissing === undefined ? '' : ` (skipped: ${freshSystemMissing})`;
/** Runs what it is given in a shell, as sshd does, and notes everything that other users could see in a list of processes. */
const SSH = `#!/bin/bash
printf '%q ' ssh "$@" >>/tmp/seen; echo >>/tmp/seen
no_input=''
while [ $# -gt 0 ]; do
  case $1 in
  -n) no_input=1 ;;
  -o) [[ $2 != Port=99 ]] || { echo 'ssh: connect to host pi port 99: Connection refused' >&2; exit 255; }; shift ;;
  -i) shift ;;
  -O) exit 0 ;;
  *) break ;;
  esac
  shift
done
echo "$1" >>/tmp/hosts
case $1 in
*nowhere*) echo "ssh: Could not resolve hostname nowhere: Name or service not known" >&2; exit 255 ;;
*stranger*) echo "stranger@pi: Permission denied (publickey)." >&2; exit 255 ;;
esac
shift
if [ -e /tmp/breaks ] && [[ $* == *bootstrap-pi.sh* ]]; then
  setsid bash -c "$*" >/dev/null 2>&1 </dev/null &
  exit 255
fi
if [ -n "$no_input" ]; then exec bash -c "$*" </dev/null; fi
exec bash -c "$*"
`;
/** Takes the place of the installer on the other machine: says how it was called, with what on its input, and from where. */
const FAR_END = `#!/bin/bash
printf '<%s>' "$@"; echo
echo "input: $(cat)"
echo "by $(id -u), in $PWD"
[ ! -e /tmp/breaks ] || until [ -e /tmp/go ]; do sleep 0.05; done
ls "$(dirname "$0")" | tr '\\n' ' ' | tee /tmp/seen-there
[ ! -e /tmp/fails ] || { echo 'failed: as asked' >&2; exit 7; }
`;

describe.skipIf(freshSystemMissing !== undefined)(`another machine, from here${skipped}`, () => {
  let system: FreshSystem;
  beforeEach(async () => {
    system = await freshSystem();
    system.write('/usr/bin/ssh', SSH, 0o755);
    // What is sent is this: a bundle, unpacked, whose installer is the stand-in.
    system.sh('mkdir -p /tmp/made/techtemp-1');
    system.write('/tmp/made/techtemp-1/bootstrap-pi.sh', FAR_END, 0o755);
    system.write('/tmp/made/techtemp-1/RELEASE', 'id=1\n');
    system.sh('tar -C /tmp/made -czf /tmp/bundle.tar.gz techtemp-1');
  });
  afterEach(() => system.remove());

  test('it runs there with the same words, whatever is in them', () => {
    const label = `O'Neill's "sill" $HOME \`x\` \\ * ; #1 é`;
    const { status, stdout } = remote([
      'pi@raspberry',
      '--label',
      label,
      '--broker',
      '192.168.1.10:1884',
      '--yes',
      '--with-server',
    ]);
    expect(status).toBe(0);
    expect(stdout).toContain(`<--label=${label}><--broker=192.168.1.10:1884><--yes><--with-server>`);
    expect(stdout).toContain('by 0, in /\n');
    expect(stdout).toContain('RELEASE bootstrap-pi.sh');
  });

  test('nothing is left there, and nothing here', () => {
    const listing = 'ls -A /tmp /root /home /run | grep -v -e seen -e hosts';
    const before = system.sh(listing);
    remote(['pi@raspberry']);
    expect(system.sh(listing)).toBe(before);
    system.write('/tmp/fails', '');
    const withWish = system.sh(listing);
    remote(['pi@raspberry']);
    expect(system.sh(listing)).toBe(withWish);
  });

  test('a password travels on the standard input: it is in no command line, here or there, and in no words', () => {
    for (const given of [
      { args: ['--password-file', '/tmp/password'], options: {} },
      { args: ['--password-file', '-'], options: { input: 's3 cret\n' } },
      { args: [], options: { env: { TECHTEMP_PASSWORD: 's3 cret' } } },
      { args: ['--password', 's3 cret'], options: {} },
    ]) {
      system.write('/tmp/password', 's3 cret\nsecond line\n');
      const { stdout, stderr } = remote(['pi@raspberry', '--username', 'me', ...given.args], given.options);
      expect(stdout).toContain('<--username=me><--password-file=->');
      expect(stdout).toContain('input: s3 cret\n');
      expect(stdout.replace('input: s3 cret', '') + stderr).not.toContain('cret');
      expect(system.read('/tmp/seen')).not.toContain('cret');
    }
  });

  test('the exit code is that of the other machine, and its words are passed on', () => {
    system.write('/tmp/fails', '');
    const { status, stderr } = remote(['pi@raspberry']);
    expect(status).toBe(7);
    expect(stderr).toContain('failed: as asked');
    expect(stderr).toContain('failed on pi@raspberry with exit 7');
  });

  // 5
  test('a connection that is lost ends nothing there: the run goes on in its folder, and that is said', () => {
    system.write('/tmp/breaks', '');
    const { status, stderr } = remote(['pi@raspberry']);
    expect(status).toBe(255);
    expect(stderr).toContain('the connection to pi@raspberry has ended; what has begun there goes on');
    expect(stderr).toContain('the same command again says how it stands, or how it ended');
    system.background('touch /tmp/go; sleep 60', '/tmp/seen-there', 'RELEASE bootstrap-pi.sh');
  });

  test('user, port, key and options reach ssh', () => {
    remote(['pi@raspberry:2222', '-i', '/root/key'], { env: { TECHTEMP_SSH_OPTIONS: '-o StrictHostKeyChecking=no' } });
    const first = system.read('/tmp/seen')?.split('\n')[0] ?? '';
    for (const word of [
      '-o Port=2222',
      '-i /root/key',
      '-o StrictHostKeyChecking=no',
      '-o BatchMode=yes',
      'pi@raspberry true',
    ]) {
      expect(first).toContain(word);
    }
    remote(['pi@[fe80::1]:22']);
    expect(system.read('/tmp/hosts')).toMatch(/^pi@fe80::1$/m);
  });

  test.each([
    ['pi@nowhere', 'the name of pi@nowhere is not known', 'take its address'],
    ['stranger@pi', 'stranger@pi refuses this user', 'ssh-copy-id'],
    ['pi@pi:99', 'pi@pi:99 can not be reached', 'is it switched on'],
  ])('who cannot be reached is told apart: %s', (target, what, remedy) => {
    const { status, stderr } = remote([target]);
    expect(status).toBe(1);
    expect(stderr).toContain(what);
    expect(stderr).toContain(remedy);
  });

  test('without root there and without a terminal here, a sudo that asks is refused', () => {
    asPi('[ "$1" = -n ] && { echo "sudo: a password is required" >&2; exit 1; }');
    const { status, stderr } = remote(['pi@raspberry']);
    expect(status).toBe(1);
    expect(stderr).toContain('sudo on pi@raspberry asks for a password, and there is no terminal here');
  });

  test('sudo that asks for nothing is taken', () => {
    asPi('[ "$1" = -n ] || exit 9; shift; exec "$@"');
    expect(remote(['pi@raspberry']).status).toBe(0);
    expect(system.read('/tmp/seen')).toContain('sudo\\ -n\\ bash');
  });

  test("on a terminal sudo's password is asked for here, tried alone, and handed over before the broker's", () => {
    const sudo = `[ "$1" != -n ] || exit 1
      [ "$1" != -k ] || shift
      [ "$*" != "" ] || exit 1
      read -r word; [ "$word" = opensesame ] || exit 1
      while [ "$1" != true ] && [ "$1" != bash ]; do shift; done
      exec "$@"`;
    asPi(sudo);
    const { status, stdout } = remote(['pi@raspberry', '--username', 'me'], {
      env: { TECHTEMP_PASSWORD: 's3cret' },
      onTerminal: true,
      input: 'wrong\nopensesame\n',
    });
    expect(stdout).toContain('input: s3cret');
    expect(status).toBe(0);
    expect(system.read('/tmp/seen')).not.toMatch(/opensesame|s3cret/);
  });

  test('the certificate of a private authority goes along', () => {
    system.write('/tmp/ca.pem', 'a certificate');
    const { stdout } = remote(['pi@raspberry', '--broker', 'b', '--tls-ca', '/tmp/ca.pem']);
    expect(stdout).toMatch(/<--tls-ca=\/tmp\/tmp\.\w+\/broker-ca\.pem>/);
  });

  function remote(args: readonly string[], options: RunOptions = {}): RunResult {
    return system.install([...args, '--bundle', '/tmp/bundle.tar.gz'], options);
  }
  /** The other end is not root, and its sudo is this. */
  function asPi(sudo: string): void {
    system.write('/usr/local/bin/sudo', `#!/bin/bash\n${sudo}\n`, 0o755);
    system.write('/usr/local/bin/id', '#!/bin/sh\n[ -e /tmp/root ] && echo 0 || echo 1000\n', 0o755);
  }
});
