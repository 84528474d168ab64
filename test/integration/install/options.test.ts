import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshSystem, freshSystem, freshSystemMissing, PROJECT } from '../../support/fresh-system.ts';

const skipped = freshSystemMissing === undefined ? '' : ` (skipped: ${freshSystemMissing})`;

describe.skipIf(freshSystemMissing !== undefined)(`the installer's options${skipped}`, () => {
  let system: FreshSystem;
  let before: readonly string[];
  beforeAll(async () => {
    system = await freshSystem();
    before = system.changedFiles();
  });
  afterAll(() => system.remove());

  test.each([
    [['--versoin'], 'no option --versoin', '--version'],
    [['--broke', 'x'], 'no option --broke', '--broker'],
    [['--with-sever'], 'no option --with-sever', '--with-server'],
    [['--dryrun'], 'no option --dryrun', '--dry-run'],
    [['--unistall'], 'no option --unistall', '--uninstall'],
    [['--intervall', '60'], 'no option --intervall', '--interval'],
    [['--passwd-file', 'x'], 'no option --passwd-file', '--password-file'],
    [['check'], '"check" is no machine', 'did you mean --check?'],
    [['-x'], 'no option -x', '--help'],
    [['--role', 'sever'], '--role is "sever"', 'did you mean server?'],
  ])('a word that is not understood is named, with the nearest that is: %j', (args, what, near) => {
    expectRefused(args, what, near);
  });

  test.each([
    [['--broker', 'mqtt://192.168.1.10']],
    [['--broker', '192.168.1.10:0']],
    [['--broker', '192.168.1.10:65536']],
    [['--broker', '192.168.1.10:']],
    [['--broker', 'my broker']],
    [['--broker', '[::1']],
    [['--broker-host', 'a/b']],
    [['--broker-port', '1883x']],
    [['--interval', '0']],
    [['--interval', '3601']],
    [['--interval', '60s']],
    [['--interval=-5']],
    [['--interval', '1e3']],
    [['--bus', '256']],
    [['--bus', 'first']],
    [['--home', 'our home']],
    [['--home', 'x'.repeat(51)]],
    [['--instance', '../x', '--role', 'server']],
    [['--health-seconds', '5']],
    [['--role', 'both']],
    [['--room', 'two\nlines']],
    [['--room=']],
    [['--room', '']],
    [['--room']],
    [['--label', '--yes']],
    [['--yes=no']],
    [['pi@host:port']],
    [['pi@my host']],
    [['--bundle', '/nowhere.tar.gz']],
    [['--bundle', '/etc']],
    [['--password-file', '/nowhere', '--username', 'x']],
    [['--tls-ca', '/nowhere']],
  ])('a value that cannot be right is refused, with an example of a right one: %j', (args) => {
    const option = (args[0] ?? '').replace(/=.*/, '');
    expectRefused(args, option.startsWith('-') ? option.replace(/^--/, '') : `"${args[0]}"`, '');
  });

  test.each([
    [['--check', '--uninstall']],
    [['--rollback', '--check']],
    [['--purge']],
    [['--purge', '--check']],
    [['--check', '--room', 'x']],
    [['--uninstall', '--broker', 'x']],
    [['--rollback', '--with-server']],
    [['--role', 'device', '--with-server']],
    [['--role', 'server', '--room', 'x']],
    [['--role', 'server', '--bus', '1']],
    [['--instance', 'staging']],
    [['--with-broker', '--broker', '192.168.1.10']],
    [['--with-broker', '--tls-ca', '/etc/hostname']],
    [['--password', 'x']],
    [['--password', 'x', '--password-file', '/etc/hostname', '--username', 'y']],
    [['-i', 'key']],
    [['pi@one', 'pi@two']],
  ])('a pair that excludes itself is refused: %j', (args) => {
    expectRefused(args, '', '');
  });

  test('by all that was refused, not one file was changed', () => {
    expect(system.changedFiles()).toEqual(before);
  });

  test('values reach the installation as they were written: spaces, quotes, umlauts, dollars', () => {
    const label = `Küche "oben" – O'Neill's $HOME \`x\` \\ * ; #1`;
    expect(parsed(['--label', label], 'LABEL')).toBe(label);
    expect(parsed([`--room=--${label}`], 'ROOM')).toBe(`--${label}`);
  });

  test.each([
    [['--broker', 'broker.local'], 'broker.local '],
    [['--broker', '192.168.1.10:1884'], '192.168.1.10 1884'],
    [['--broker', '[fe80::1]:1884'], 'fe80::1 1884'],
    [['--broker', '[fe80::1]'], 'fe80::1 '],
    [['--broker', 'fe80::1'], 'fe80::1 '],
    [['--broker', 'broker.local', '--tls'], 'broker.local 8883'],
    [['--broker', 'broker.local:1884', '--tls'], 'broker.local 1884'],
    [['--broker-host', 'broker.local', '--broker-port', '1884'], 'broker.local 1884'],
  ])('the broker is a host with or without port: %j', (args, expected) => {
    expect(`${parsed(args, 'BROKER_HOST')} ${parsed(args, 'BROKER_PORT')}`).toBe(expected);
  });

  test.each([
    [[], '1 '],
    [['--with-server'], '1 1'],
    [['--role', 'all'], '1 1'],
    [['--role', 'server'], ' 1'],
    [['--role', 'server', '--instance', 'staging'], ' 1'],
    [['--role', 'device'], '1 '],
  ])('roles: %j', (args, expected) => {
    expect(`${parsed(args, 'ROLE_DEVICE')} ${parsed(args, 'ROLE_SERVER')}`).toBe(expected);
  });

  test('without a word about roles a machine keeps those it has', () => {
    system.write('/var/lib/techtemp-install/manifest', 'unit techtemp-server.service\n');
    expect(`${parsed([], 'ROLE_DEVICE')} ${parsed([], 'ROLE_SERVER')}`).toBe(' 1');
    system.write('/var/lib/techtemp-install/manifest', 'unit techtemp-server.service\nunit techtemp-device.service\n');
    expect(`${parsed([], 'ROLE_DEVICE')} ${parsed([], 'ROLE_SERVER')}`).toBe('1 1');
    system.write('/var/lib/techtemp-install/manifest', 'unit techtemp-server@staging.service\n');
    expect(`${parsed([], 'ROLE_DEVICE')}/${parsed([], 'ROLE_SERVER')}/${parsed([], 'INSTANCE')}`).toBe('/1/staging');
    system.sh('rm -r /var/lib/techtemp-install');
  });

  test('the bus is the same bus however it is called', () => {
    for (const bus of ['1', 'i2c-1', '/dev/i2c-1', '01']) expect(parsed(['--bus', bus], 'I2C_BUS')).toBe('1');
  });

  test('the names of the older script are understood', () => {
    const args = ['192.168.1.20', '--broker-host', 'b', '--broker-port', '1884', '--home', 'h', '--room', 'r'];
    args.push(
      '--username',
      'u',
      '--password',
      's3cret',
      '--read-interval',
      '300',
      '--log-level',
      'debug',
      '--git-branch',
      'x',
    );
    args.push('--backend-host', 'y', '--backend-port', '80', '--non-interactive', '--skip-apt');
    const names = ['TARGET', 'BROKER_HOST', 'INTERVAL_SECONDS', 'BROKER_PASSWORD', 'ASSUME_YES', 'SKIP_APT'];
    expect(names.map((name) => parsed(args, name))).toEqual(['192.168.1.20', 'b', '300', 's3cret', '1', '1']);
  });

  test('a password in the command line is warned about, and neither the log nor advice repeats it', () => {
    for (const args of [['--password', 's3cret'], ['--password=s3cret']]) {
      expect(parsed([...args, '--username', 'u'], 'LOGGED_ARGUMENTS')).not.toContain('s3cret');
      const { stderr } = parse([...args, '--username', 'u'], 'LOGGED_ARGUMENTS');
      expect(stderr).toContain('others on this machine can read it');
    }
  });

  test('--version prints the version of the project, --help the options; neither needs root', () => {
    const { version } = JSON.parse(system.read(`${PROJECT}/package.json`) ?? '') as { readonly version: string };
    expect(asNobody('--version')).toMatchObject({ status: 0, stdout: `${version}\n` });
    const help = asNobody('--help');
    expect(help.status).toBe(0);
    const listed = system.sh(
      `source ${PROJECT}/scripts/install/options.sh; echo "\${OPTIONS_WITH_VALUE[@]}" "\${OPTIONS_WITHOUT[@]}"`,
    );
    // The older script's names are understood, not advertised.
    const older = [
      '--broker-host',
      '--broker-port',
      '--read-interval',
      '--password',
      '--backend-host',
      '--backend-port',
    ];
    older.push('--log-level', '--git-branch', '--non-interactive');
    for (const option of listed.trim().split(' ')) {
      if (!older.includes(option)) expect(help.stdout).toContain(option);
    }
  });

  test('without root and without another machine it says how to call it', () => {
    const { status, stderr } = asNobody('--room', 'Living room');
    expect(status).toBe(1);
    expect(stderr).toContain(String.raw`sudo ./bootstrap-pi.sh --room Living\ room`);
  });

  function expectRefused(args: readonly string[], what: string, near: string): void {
    const { status, stdout, stderr } = system.install(args);
    expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: '' });
    expect(stderr).toMatch(/^refused: /m);
    expect(stderr).toContain(what);
    expect(stderr).toContain(near);
  }

  /** What the command line means for one of the variables that the modules read. */
  function parsed(args: readonly string[], variable: string): string {
    const { status, stdout, stderr } = parse(args, variable);
    expect({ status, refused: /refused.*/.exec(stderr)?.[0] }).toEqual({ status: 0, refused: undefined });
    return stdout;
  }
  function parse(args: readonly string[], variable: string): ReturnType<FreshSystem['run']> {
    const script = `set -euo pipefail; PROJECT_DIR=${PROJECT}; variable=$1; shift
      for file in ${PROJECT}/scripts/install/{lib.sh,*.sh}; do source "$file"; done
      parse_options "$@"; printf %s "\${!variable}"`;
    return system.run('bash', ['-c', script, 'parse', variable, ...args]);
  }
  function asNobody(...args: readonly string[]): ReturnType<FreshSystem['run']> {
    return system.run('setpriv', [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      `${PROJECT}/bootstrap-pi.sh`,
      ...args,
    ]);
  }
});
