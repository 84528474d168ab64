import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Emulator, emulatorMissing, startEmulator } from '../support/emulator.ts';
import { readmeCommands } from '../support/readme-commands.ts';

const root = resolve(import.meta.dirname, '../..');
const ARCHIVE = 'techtemp-0.1.0-amd64';

/** What needs a Pi, an installed machine or another one: the test that runs it, and words that are in this test. */
const ELSEWHERE: readonly (readonly [command: RegExp, test: string, words: string])[] = [
  [/^sudo raspi-config nonint do_i2c 0$/, 'integration/install/bus.test.ts', 'raspi-config nonint do_i2c 0'],
  [/^sudo usermod -aG i2c "\$USER"$/, 'integration/check-command-sensor.test.ts', 'usermod'],
  [/^sudo \.\/bootstrap-pi\.sh --role all --with-broker /, 'integration/install/debian13.test.ts', "'--role', 'all'"],
  [/^sudo \.\/bootstrap-pi\.sh --broker /, 'integration/install/device-config.test.ts', '--broker'],
  [/^\.\/bootstrap-pi\.sh pi@bedroom\.local /, 'integration/install/remote.test.ts', 'pi@raspberry'],
  [/bootstrap-pi\.sh --add-reader /, 'integration/install/broker-accounts.test.ts', "add('--add-reader'"],
  [/^systemctl status techtemp-device$/, 'system/20-everyday.test.ts', 'systemctl status --no-pager'],
  [/^journalctl -u techtemp-device -f$/, 'system/20-everyday.test.ts', 'journal'],
  [/^mosquitto_sub .* -P PASSWORD /, 'integration/install/broker-accounts.test.ts', 'reads everything'],
];

const namespace = spawnSync('unshare', ['--net', '--map-root-user', 'ip', 'link', 'set', 'lo', 'up']);
const MISSING = [namespace.status === 0 ? undefined : 'no network namespace here', emulatorMissing]
  .filter((reason) => reason !== undefined)
  .join(', ');
const elsewhere = (command: string) => ELSEWHERE.find(([pattern]) => pattern.test(command));

/** As the README says: in a clone the programs are in dist/, and their settings in var/. */
function inClone(command: string): string {
  return command.replace(
    /^sudo techtemp-(device|server) (\w+)(?: (create))?/,
    (_all, name: string, word: string, second?: string) =>
      `node dist/techtemp-${name}.js ${word}${second === undefined ? '' : ` ${second}`} --config var/${name}.conf`,
  );
}

describe('what README.md leaves to other tests', () => {
  it.each(readmeCommands().filter((command) => elsewhere(command) !== undefined))('%s', (command) => {
    const [, test = '', words = ''] = elsewhere(command) ?? [];
    expect(readFileSync(join(root, 'test', test), 'utf8')).toContain(words);
  });
});

/**
 * Every other command of README.md, in its order, in one shell, in a clone of what git keeps. In a network of its own, so that the
 * ports are free. There is no registry in it, so the packages are laid into the clone before `npm start` looks for them.
 */
describe.skipIf(MISSING !== '')(`README.md, followed in a fresh clone ${MISSING}`, () => {
  const commands = readmeCommands().filter((command) => elsewhere(command) === undefined);
  let folder = '';
  let emulator: Emulator;
  let failure = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'techtemp-readme-'));
    mkdirSync(join(folder, 'out'));
    makeRepository(join(folder, 'origin'));
    emulator = await startEmulator({ source: { kind: 'constant', temperature: 21.5, humidity: 45 } });
    writeFileSync(join(folder, 'session'), session());
    const shell = spawn('unshare', ['--net', '--map-root-user', 'bash', join(folder, 'session')], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    shell.stderr.on('data', (chunk: Buffer) => (failure += chunk.toString()));
    await once(shell, 'exit');
  }, 300_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What git keeps, uncommitted changes included, as a repository that can be cloned. */
  function makeRepository(origin: string): void {
    const git = (...words: readonly string[]) => execFileSync('git', words, { cwd: origin, stdio: 'ignore' });
    const listing = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const files = execFileSync('git', listing, { cwd: root, encoding: 'utf8' }).split('\0');
    for (const file of files.filter((name) => name !== '' && existsSync(join(root, name)))) {
      mkdirSync(join(origin, dirname(file)), { recursive: true });
      cpSync(join(root, file), join(origin, file));
    }
    git('init', '--quiet');
    git('add', '--all');
    git('-c', 'user.name=test', '-c', 'user.email=test@example.org', 'commit', '--quiet', '--message', 'all');
    git('archive', `--prefix=${ARCHIVE}/`, '--output', join(folder, `${ARCHIVE}.tar.gz`), 'HEAD');
    const modules = join(folder, 'node_modules');
    mkdirSync(modules);
    cpSync(join(root, 'node_modules/.package-lock.json'), join(modules, '.package-lock.json'));
    for (const name of readdirSync(join(root, 'node_modules')).filter((entry) => !entry.startsWith('.'))) {
      symlinkSync(join(root, 'node_modules', name), join(modules, name));
    }
  }

  function session(): string {
    const lines = [
      'set -m; ip link set lo up; cd work; started=',
      `export REPOSITORY=${join(folder, 'origin')}`,
      `(cd '${folder}'; sha256sum ${ARCHIVE}.tar.gz >SHA256SUMS)`,
      "two() { [ $(grep -c '%RH' $1) -ge 2 ]; }",
      // As Ctrl-C does.
      'stop() { [ -z "$started" ] || { kill -INT -- -"$started"; wait "$started"; } 2>"$PWD/stop.log"; started=; }',
    ];
    commands.forEach((command, index) => {
      const out = join(folder, 'out', String(index));
      if (command === 'npm start') {
        lines.push(
          // The second time is after the wiring: there is a sensor now.
          `stop; ${index > commands.indexOf('npm start') ? sensor() : ''}npm start >${out} 2>&1 & started=$!`,
          `for look in $(seq 600); do two ${out} && break; kill -0 $started || break; sleep 0.2; done`,
          `two ${out}; echo $? >${out}.status`,
        );
        return;
      }
      if (command.startsWith('sha256sum')) lines.push(`cd ${folder}`);
      const limit = command.startsWith('curl -N') ? 'timeout -s INT 3 ' : '';
      const words = inClone(command)
        .replace('Bearer TOKEN', 'Bearer $token')
        .replaceAll("'Authorization: Bearer $token'", '"Authorization: Bearer $token"');
      lines.push(
        `{ ${limit}${index > commands.lastIndexOf('npm start') && words.startsWith('node') ? sensor() : ''}${words}`,
        `} >${out} 2>&1`,
        `echo $? >${out}.status`,
      );
      if (command.includes('token create')) lines.push(`token=$(grep -o 'ttk_[A-Za-z0-9_-]*' ${out})`);
      if (command.startsWith('git clone')) lines.push(`mv ${join(folder, 'node_modules')} techtemp/node_modules`);
      // The archive is the other way; the clone is where it goes on.
      if (command.startsWith('cd techtemp-*'))
        lines.push('./bootstrap-pi.sh --help >/dev/null || exit', 'cd ../work/techtemp');
    });
    return `${[`mkdir ${join(folder, 'work')}`, ...lines, 'stop'].join('\n')}\n`;
  }

  const sensor = (): string =>
    Object.entries(emulator.env)
      .map(([name, value]) => `${name}='${value}' `)
      .join('');

  it('runs more than 20 commands', () => {
    expect(failure).toBe('');
    expect(commands.length).toBeGreaterThan(20);
  });

  it.each(commands.map((command, index) => [command, index] as const))('%s', (command, index) => {
    const out = join(folder, 'out', String(index));
    const said = existsSync(out) ? readFileSync(out, 'utf8') : '(it was not run)';
    const status = existsSync(`${out}.status`) ? readFileSync(`${out}.status`, 'utf8').trim() : 'none';
    // A stream has no end of its own: `timeout` ends it. The last command of npm start is ours.
    expect([status, said]).toEqual([command.startsWith('curl -N') ? '124' : '0', said]);
    if (command.startsWith('curl')) expect(said).not.toMatch(/"error":/);
    if (command.includes('room=living-room') && !command.includes('>')) expect(said).toContain('living-room');
    if (command.includes('devices list')) expect(said).toContain('Living room');
  });
});
