import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as exitCodes from '../../../src/cli/command-io.ts';
import { type Program, runCommandLine } from '../../support/command-lines.ts';
import { expectGolden, expectGoldenJson } from '../../support/golden.ts';

const PROGRAMS: readonly Program[] = ['techtemp-device', 'techtemp-server'];
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-golden-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the help', () => {
  it.each([
    ['techtemp-device', 'help-device.txt'],
    ['techtemp-server', 'help-server.txt'],
  ] as const)('of %s and of each of its commands is what it was', async (program, file) => {
    expectGolden(file, (await helpOf(program, [])).join('\n'));
  });
});

/** The help of a command, then that of each command below it, as the help names them. */
async function helpOf(program: Program, path: readonly string[]): Promise<readonly string[]> {
  const { exitCode, stdout, stderr } = await runCommandLine(program, [...path, '--help']);
  expect([path, exitCode, stderr]).toEqual([path, 0, '']);
  const [, list = ''] = stdout.split(/^Commands:$/m);
  const names = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help');
  const below: string[] = [];
  for (const name of names) below.push(...(await helpOf(program, [...path, name])));
  return [`$ ${[program, ...path, '--help'].join(' ')}\n${stdout}`, ...below];
}

describe('the exit codes', () => {
  it('are what they were', async () => {
    const broken = join(folder, 'broken.conf');
    writeFileSync(broken, '[mqtt]\nbroker_port = high\n');
    const good = join(folder, 'good.conf');
    writeFileSync(good, '[mqtt]\nbroker_host = broker.lan\n');
    const state = join(folder, 'state');
    mkdirSync(state);
    const env = { STATE_DIRECTORY: state };
    const newStore = ['init', '--config', good] as const;
    const notADatabase = join(folder, 'no-database.db');
    writeFileSync(notADatabase, 'this is a text and no database\n'.repeat(100));
    const LINES: Readonly<Record<Program, readonly (readonly string[])[]>> = {
      'techtemp-device': [
        [],
        ['--version'],
        ['--help'],
        ['help', 'check'],
        ['no-such-command'],
        ['check', '--no-such-option'],
        ['read', '--count', '0'],
        ['config', '--set', 'nonsense'],
        ['config', '--config', good],
        ['config', '--config', broken],
        ['config', '--config', join(folder, 'missing.conf')],
        ['config', '--defaults'],
        ['journal', 'list', '--config', good],
        ['journal', 'show', '--config', good],
        ['journal', 'export', '--config', good, '--format', 'jsonl'],
        ['journal', 'list', '--config', broken],
        ['journal', 'export', '--format', 'xml'],
        ['journal', 'export', '--all', '--unreleased'],
        ['servers', 'list', '--config', good],
        ['servers', 'forget'],
        ['servers', 'forget', 'unknown', '--config', good],
        ['read', '--simulate', '--config', good],
        ['read', '--config', broken],
      ],
      'techtemp-server': [
        [],
        ['--version'],
        ['--help'],
        ['no-such-command'],
        ['check', '--no-such-option'],
        ['config', '--set', 'nonsense'],
        ['config', '--config', good],
        ['config', '--config', broken],
        ['config', '--defaults'],
        ['devices', 'list', '--config', good],
        ['verify', '--config', good],
        newStore,
        newStore,
        ['devices', 'list', '--config', good],
        ['devices', 'list', '--config', broken],
        ['verify', '--config', good],
        ['verify', '--config', broken],
        ['verify', '--config', good, '--set', `store.path=${notADatabase}`],
        ['export', '--config', good],
        ['export', '--config', good, '--device', 'nobody'],
        ['gaps', '--config', good],
        ['rejected', '--config', good],
        ['token', 'list', '--config', good],
        ['token', 'revoke', 'nobody', '--config', good],
        ['quarantine', 'list', '--config', good],
      ],
    };
    const found: [string, number][] = [];
    for (const program of PROGRAMS) {
      for (const line of LINES[program]) {
        const { exitCode } = await runCommandLine(program, line, env);
        found.push([[program, ...line].join(' ').replaceAll(folder, '/folder'), exitCode]);
      }
    }
    expectGoldenJson('exit-codes.json', {
      names: Object.fromEntries(Object.entries(exitCodes).filter(([, value]) => typeof value === 'number')),
      ends: found.map(([line, exitCode]) => `${exitCode}  ${line}`),
    });
  });
});

describe('the config', () => {
  it.each([
    ['techtemp-device', 'config-device-defaults.conf', 'config-device-environment.conf'],
    ['techtemp-server', 'config-server-defaults.conf', 'config-server-environment.conf'],
  ] as const)(
    'of %s has the same keys, defaults, limits, names in the environment',
    async (program, defaults, environment) => {
      const empty = join(folder, 'empty.conf');
      writeFileSync(empty, program === 'techtemp-device' ? '[device]\ndevice_uid = aht20-0a1b2c\n' : '[mqtt]\n');
      const annotated = await runCommandLine(program, ['config', '--defaults']);
      expect([annotated.exitCode, annotated.stderr]).toEqual([0, '']);
      // config/*.conf are this text, word for word; here only what programs read, so that words can be made better.
      const rules = annotated.stdout
        .split('\n')
        .filter((line) => /^(\[|#[a-z]\w* =|# Allowed: |# A change waits )/.test(line));
      const effective = await runCommandLine(program, ['config', '--config', empty], { STATE_DIRECTORY: folder });
      expect([effective.exitCode, effective.stderr]).toEqual([0, '']);
      expectGolden(
        defaults,
        `${rules.join('\n')}\n\n# config, of an empty file\n${effective.stdout.replaceAll(folder, '/folder')}`,
      );

      // Each key under its name in the environment, with the value that it has there: so each of them must be known.
      const keys = keysOf(effective.stdout);
      const env = Object.fromEntries(
        keys
          .filter(([, , value]) => value !== '')
          .map(([section, key, value]) => [`TECHTEMP_${section}_${key}`.toUpperCase(), value]),
      );
      const fromEnvironment = await runCommandLine(program, ['config', '--config', empty], {
        STATE_DIRECTORY: folder,
        ...env,
      });
      expect([fromEnvironment.exitCode, fromEnvironment.stderr]).toEqual([0, '']);
      expectGolden(environment, fromEnvironment.stdout.replaceAll(folder, '/folder'));
    },
  );
});

/** Section, key and value of each line of `config`. */
function keysOf(text: string): readonly (readonly [section: string, key: string, value: string])[] {
  let section = '';
  return text.split('\n').flatMap((line) => {
    section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section;
    const [, key, value] = /^(\w+) =(.*?) +# /.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [[section, key, value.trim()] as const];
  });
}
