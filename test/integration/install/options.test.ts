import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FreshSystem, freshSystem, freshSystemMissing, PROJECT } from '../../support/fresh-system.ts';
import { runSteps } from '../../support/install-steps.ts';

const skipped = freshSystemMissing === undefined ? '' : ` (skipped: ${freshSystemMissing})`;

/** Words that are not understood, what is said about them, and the nearest that is. */
const MISUNDERSTOOD: [string[], string, string][] = [
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
];
const WRONG_VALUES: [string[]][] = [
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
];
const EXCLUDING: [string[]][] = [
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
];
const BROKERS: [string[], string][] = [
  [['--broker', 'broker.local'], 'broker.local '],
  [['--broker', '192.168.1.10:1884'], '192.168.1.10 1884'],
  [['--broker', '[fe80::1]:1884'], 'fe80::1 1884'],
  [['--broker', '[fe80::1]'], 'fe80::1 '],
  [['--broker', 'fe80::1'], 'fe80::1 '],
  [['--broker', 'broker.local', '--tls'], 'broker.local 8883'],
  [['--broker', 'broker.local:1884', '--tls'], 'broker.local 1884'],
  [['--broker-host', 'broker.local', '--broker-port', '1884'], 'broker.local 1884'],
];
const ROLES: [string[], string][] = [
  [[], '1 '],
  [['--with-server'], '1 1'],
  [['--role', 'all'], '1 1'],
  [['--role', 'server'], ' 1'],
  [['--role', 'server', '--instance', 'staging'], ' 1'],
  [['--role', 'device'], '1 '],
];
const MANIFESTS: [string, string][] = [
  ['unit techtemp-server.service', '/1/'],
  ['unit techtemp-server.service\nunit techtemp-device.service', '1/1/'],
  ['unit techtemp-server@staging.service', '/1/staging'],
  // After --uninstall, which removes units and no decision; and a run that was cut off in the middle of the next one.
  ['role techtemp-server.service\nrole techtemp-device.service', '1/1/'],
  ['role techtemp-server.service\nrole techtemp-device.service\nunit techtemp-device.service', '1/1/'],
];
const BUSES = ['1', 'i2c-1', '/dev/i2c-1', '01'];
const PASSWORDS = [
  ['--password', 's3cret', '--username', 'u'],
  ['--password=s3cret', '--username', 'u'],
];
const LABEL = `Küche "oben" – O'Neill's $HOME \`x\` \\ * ; #1`;
const OLDER_NAMES = [
  '192.168.1.20',
  '--broker-host',
  'b',
  '--broker-port',
  '1884',
  '--home',
  'h',
  '--room',
  'r',
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
  '--backend-host',
  'y',
  '--backend-port',
  '80',
  '--non-interactive',
  '--skip-apt',
];
const CASES: readonly Case[] = [
  ...[...MISUNDERSTOOD, ...WRONG_VALUES, ...EXCLUDING, ...BROKERS, ...ROLES].map(([args]) => ({ args, manifest: '' })),
  ...MANIFESTS.map(([manifest]) => ({ args: [], manifest })),
  ...BUSES.map((bus) => ({ args: ['--bus', bus], manifest: '' })),
  ...[...PASSWORDS, OLDER_NAMES, ['--label', LABEL], [`--room=--${LABEL}`]].map((args) => ({ args, manifest: '' })),
];
const VARIABLES = [
  ...(['LABEL', 'ROOM', 'BROKER_HOST', 'BROKER_PORT', 'ROLE_DEVICE', 'ROLE_SERVER', 'INSTANCE', 'I2C_BUS'] as const),
  ...(['TARGET', 'INTERVAL_SECONDS', 'BROKER_PASSWORD', 'ASSUME_YES', 'SKIP_APT', 'LOGGED_ARGUMENTS'] as const),
];

interface Case {
  readonly args: readonly string[];
  /** What is installed on the machine. */
  readonly manifest: string;
}
interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Of VARIABLES, where nothing was refused. */
  readonly values: readonly string[];
}

/** All cases in one shell: it reads the modules once and each command line in a shell of its own. */
function parseAll(system: FreshSystem): ReadonlyMap<string, Answer> {
  const script = `source <(sed '$d' ${PROJECT}/bootstrap-pi.sh); PROJECT_DIR=${PROJECT}; load_modules; set +e
    MANIFEST=/tmp/manifest
    while IFS= read -r -d '' count; do
      words=()
      for ((i = 0; i < count; i++)); do IFS= read -r -d '' word; words+=("$word"); done
      IFS= read -r -d '' word; printf '%s\\n' "$word" >/tmp/manifest
      (set -euo pipefail; parse_options "\${words[@]}" >/tmp/out 2>/tmp/err </dev/null
        for name in ${VARIABLES.join(' ')}; do printf '%s\\0' "\${!name}"; done >/tmp/values) </dev/null
      printf '%s\\0' "$?" "$(cat /tmp/out; echo .)" "$(cat /tmp/err; echo .)"
      cat /tmp/values 2>/dev/null || :
      printf '=\\0'
      rm -f /tmp/{values,out,err}
    done`;
  const input = CASES.map(({ args, manifest }) => `${[String(args.length), ...args, manifest].join('\0')}\0`).join('');
  const { stdout, stderr } = system.run('bash', ['-c', script], { input });
  const blocks = stdout.split('\0=\0').slice(0, -1);
  expect({ count: blocks.length, stderr }).toEqual({ count: CASES.length, stderr: '' });
  return new Map(
    blocks.map((block, index) => {
      const [status, out = '', err = '', ...values] = block.split('\0');
      const { args, manifest } = CASES[index]!;
      const answer = { status: Number(status), stdout: out.slice(0, -1), stderr: err.slice(0, -1), values };
      return [JSON.stringify([args, manifest]), answer] as const;
    }),
  );
}

describe.skipIf(freshSystemMissing !== undefined)(`the installer's options${skipped}`, () => {
  let system: FreshSystem;
  let answers: ReadonlyMap<string, Answer>;
  let before: readonly string[];
  beforeAll(async () => {
    system = await freshSystem();
    before = system.changedFiles();
    answers = parseAll(system);
  });
  afterAll(() => system.remove());

  test.each(MISUNDERSTOOD)(
    'a word that is not understood is named, with the nearest that is: %j',
    (args, what, near) => {
      expectRefused(args, what, near);
    },
  );

  test.each(WRONG_VALUES)('a value that cannot be right is refused, with an example of a right one: %j', (args) => {
    const option = (args[0] ?? '').replace(/=.*/, '');
    expectRefused(args, option.startsWith('-') ? option.replace(/^--/, '') : `"${args[0]}"`, '');
  });

  test.each(EXCLUDING)('a pair that excludes itself is refused: %j', (args) => {
    expectRefused(args, '', '');
  });

  test('by all that was refused, not one file was changed; the script itself refuses in the same way', () => {
    const { status, stdout, stderr } = system.install(['--versoin']);
    expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: '', stderr: answer(['--versoin']).stderr });
    expect(system.changedFiles()).toEqual(before);
  });

  test('values reach the installation as they were written: spaces, quotes, umlauts, dollars', () => {
    expect(parsed(['--label', LABEL], 'LABEL')).toBe(LABEL);
    expect(parsed([`--room=--${LABEL}`], 'ROOM')).toBe(`--${LABEL}`);
  });

  test.each(BROKERS)('the broker is a host with or without port: %j', (args, expected) => {
    expect(`${parsed(args, 'BROKER_HOST')} ${parsed(args, 'BROKER_PORT')}`).toBe(expected);
  });

  test.each(ROLES)('roles: %j', (args, expected) => {
    expect(`${parsed(args, 'ROLE_DEVICE')} ${parsed(args, 'ROLE_SERVER')}`).toBe(expected);
  });

  test.each(MANIFESTS)('without a word about roles a machine keeps those it has: %j', (manifest, expected) => {
    const { device, server, instance } = {
      device: parsed([], 'ROLE_DEVICE', manifest),
      server: parsed([], 'ROLE_SERVER', manifest),
      instance: parsed([], 'INSTANCE', manifest),
    };
    expect(`${device}/${server}/${instance}`).toBe(expected);
  });

  test('the bus is the same bus however it is called', () => {
    for (const bus of BUSES) expect(parsed(['--bus', bus], 'I2C_BUS')).toBe('1');
  });

  test('the names of the older script are understood', () => {
    const names = ['TARGET', 'BROKER_HOST', 'INTERVAL_SECONDS', 'BROKER_PASSWORD', 'ASSUME_YES', 'SKIP_APT'] as const;
    expect(names.map((name) => parsed(OLDER_NAMES, name))).toEqual(['192.168.1.20', 'b', '300', 's3cret', '1', '1']);
  });

  test('a password in the command line is warned about, and neither the log nor advice repeats it', () => {
    for (const args of PASSWORDS) {
      expect(parsed(args, 'LOGGED_ARGUMENTS')).not.toContain('s3cret');
      expect(answer(args).stderr).toContain('others on this machine can read it');
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

  // 2
  test('settings that lie on the disk decide, and say so; of data without settings it asks on a terminal, and takes them without', () => {
    const roles = `tell_roles; echo "ROLES:$ROLE_DEVICE/$ROLE_SERVER/$INSTANCE \${KEPT_SERVERS[*]}"`;
    system.write('/etc/techtemp/server.conf', '');
    system.write('/etc/techtemp/server-staging.conf', '');
    const found = runSteps(system, roles).stdout;
    expect(found).toContain('ROLES:/1/ techtemp-server@staging.service\n');
    expect(found).toMatch(
      /^\* installs the server and the server staging again, because there is \/etc\/techtemp\/server\.conf and .*; --role /m,
    );
    expect(runSteps(system, roles, { args: ['--role', 'device'] }).stdout).toBe('ROLES:1// \n');
    system.sh('rm -r /etc/techtemp');
    system.write('/var/lib/techtemp-server/techtemp.db', '');
    const ask = (input: string): string => runSteps(system, roles, { onTerminal: true, input }).stdout;
    expect(ask('n\n')).toMatch(/Install the server again\? \[y\/N\][^]*ROLES:1\/\/ /);
    expect(ask('y\n')).toContain('ROLES:/1/ ');
    expect(runSteps(system, roles).stdout).toContain('because there is /var/lib/techtemp-server/techtemp.db');
    expect(runSteps(system, roles, { args: ['--reboot-without-gateway', '--yes'] }).stdout).toContain('ROLES:/1/ ');
  });

  function expectRefused(args: readonly string[], what: string, near: string): void {
    const { status, stdout, stderr } = answer(args);
    expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: '' });
    expect(stderr).toMatch(/^refused: /m);
    expect(stderr).toContain(what);
    expect(stderr).toContain(near);
  }

  /** What the command line means for one of the variables that the modules read. */
  function parsed(args: readonly string[], variable: (typeof VARIABLES)[number], manifest?: string): string {
    const { status, stderr, values } = answer(args, manifest);
    expect({ status, refused: /refused.*/.exec(stderr)?.[0] }).toEqual({ status: 0, refused: undefined });
    return values[VARIABLES.indexOf(variable)]!;
  }
  function answer(args: readonly string[], manifest?: string): Answer {
    const found = answers.get(JSON.stringify([args, manifest ?? '']));
    if (found === undefined) throw new Error(`${args.join(' ')} is not among the cases`);
    return found;
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
