import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatOf } from '../../../src/config/formats.ts';
import { parseIni, quoteIni } from '../../../src/config/ini.ts';
import { environmentVariable, type KeySpec } from '../../../src/config/schema.ts';
import { configFiles } from '../../../src/config-files.ts';
import { badValue } from '../../support/bad-value.ts';
import { type Given, keysOf, PROGRAMS, problemsOf } from '../../support/program-configs.ts';

/** Keys that a limit of another key would get in the way of. */
const WIDE: Readonly<Record<'device' | 'server', Readonly<Record<string, string>>>> = {
  device: { 'mqtt.reconnect_min_seconds': '0.1', 'mqtt.reconnect_max_seconds': '3600' },
  server: {
    'mqtt.reconnect_min_seconds': '0.1',
    'mqtt.reconnect_max_seconds': '3600',
    'ingest.batch_messages': '1',
    'ingest.max_waiting': '100000',
  },
};

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'techtemp-keys-'));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

describe('the files that are generated from the schemas', () => {
  // To write them again: npm run config:files
  it.each(Object.entries(configFiles()))('%s is up to date', (path, text) => {
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('explain every key of both programs in the reference', () => {
    const reference = configFiles()['docs/configuration.md'] ?? '';
    for (const { schema } of PROGRAMS) {
      for (const [name] of keysOf(schema)) expect(reference).toContain(`| \`${name.split('.')[1] ?? ''}\` |`);
    }
    expect(reference.match(/\*restart\* \|$/gm)).toHaveLength(7);
  });
});

describe.each(PROGRAMS)('the shipped $name.conf', ({ schema, shipped, render, load }) => {
  const text = readFileSync(shipped, 'utf8');
  const keys = keysOf(schema);

  it('is what config --defaults prints', () => {
    expect(text).toBe(render());
  });

  it('loads without a warning, to the same as no file at all', async () => {
    const { config, warnings } = await load({ path: shipped });
    expect(warnings).toEqual([]);
    expect(config).toEqual((await load({})).config);
  });

  it('shows every key of the schema and no other, each with its default', async () => {
    const { entries, problems } = parseIni(text.replaceAll(/^#(?=\w+ =)/gm, ''));
    expect(problems).toEqual([]);
    expect(entries.map(({ section, key }) => `${section}.${key}`)).toEqual(keys.map(([name]) => name));
    const flags = Object.fromEntries(entries.map(({ section, key, value }) => [`${section}.${key}`, value]));
    expect((await load({ flags })).config).toEqual((await load({})).config);
  });

  it('fits a terminal, and documents each key', () => {
    expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
    for (const [name, { doc }] of keys) expect(doc, name).toMatch(/^.{4}[^]*\.$/);
  });

  it('gives a configuration that is frozen to the bottom', async () => {
    const { config } = await load({});
    expect(Object.isFrozen(config)).toBe(true);
    for (const section of Object.values(config) as object[]) {
      expect(Object.isFrozen(section)).toBe(true);
      for (const value of Object.values(section))
        expect(typeof value !== 'object' || Object.isFrozen(value)).toBe(true);
    }
  });
});

describe('the keys that wait for a restart', () => {
  it.each([
    ['device', []],
    [
      'server',
      [
        'store.path',
        ...['host', 'port', 'base_path', 'trust_proxy', 'tls_cert_file', 'tls_key_file'].map((key) => `http.${key}`),
      ],
    ],
  ])('of the %s are marked in its file', (name, expected) => {
    const { schema, shipped } = PROGRAMS.find((program) => program.name === name) ?? { schema: {}, shipped: '' };
    const waiting = keysOf(schema).filter(([, { when }]) => when === 'restart');
    expect(waiting.map(([key]) => key)).toEqual(expected);
    const notes = readFileSync(shipped, 'utf8').match(/^# A change waits for the next start\.$/gm) ?? [];
    expect(notes).toHaveLength(expected.length);
  });
});

/** The three places where a value can stand, and how a problem names each. */
const PLACES: readonly (readonly [
  place: string,
  give: (name: string, text: string) => Promise<{ readonly given: Given; readonly origin: string }>,
])[] = [
  [
    'file',
    async (name, text) => {
      const [section = '', key = ''] = name.split('.');
      const path = join(folder, 'given.conf');
      await writeFile(path, `[${section}]\n${key} = ${quoteIni(text)}\n`);
      return { given: { path }, origin: `${path}:2` };
    },
  ],
  [
    'environment',
    async (name, text) => {
      const [section = '', key = ''] = name.split('.');
      const variable = environmentVariable(section, key);
      return Promise.resolve({ given: { env: { [variable]: text } }, origin: `environment variable ${variable}` });
    },
  ],
  ['flag', async (name, text) => Promise.resolve({ given: { flags: { [name]: text } }, origin: `--set ${name}` })],
];

describe.each(PROGRAMS)('every key of the $name', (program) => {
  const { name: programName, schema, load } = program;
  const keys = keysOf(schema);

  it.each(keys)('%s refuses nonsense, and says which key and place it was', async (name, spec) => {
    for (const [place, give] of PLACES) {
      // One line of a file is never nonsense for a text.
      if (place === 'file' && spec.format === 'text') continue;
      const { given, origin } = await give(name, badValue(spec));
      const [problem = '', ...others] = await problemsOf(program, given);
      expect(others, place).toEqual([]);
      expect(problem.slice(origin.length), place).toMatch(new RegExp(`^: ${name} = ".*": (must be|holds)`));
      expect(problem.startsWith(origin), place).toBe(true);
    }
  });

  it.each(keys)('%s is taken from the file, the environment and the command line', async (name, spec) => {
    const text = otherValue(spec);
    const configs: object[] = [];
    for (const [place, give] of PLACES) {
      const { given, origin } = await give(name, text);
      const flags = { ...given.flags, ...companions(programName, name) };
      const { config, description } = await load({ ...given, flags });
      configs.push(config);
      const lines = parseIni(description).entries.filter(({ section, key }) => `${section}.${key}` === name);
      const [{ value, line } = { value: '', line: 0 }, ...others] = lines;
      expect(others).toEqual([]);
      expect(value, place).toBe(spec.sensitive === true ? '[secret]' : text);
      expect(value, place).not.toBe(formatOf(spec).print(spec.default));
      expect(description.split('\n')[line - 1]?.endsWith(`  # ${origin}`), place).toBe(true);
    }
    expect(configs[1]).toEqual(configs[0]);
    expect(configs[2]).toEqual(configs[0]);
  });

  it.each(keys.filter(([, spec]) => 'min' in spec))('%s takes its limits and nothing beyond', async (name, spec) => {
    if (!('min' in spec)) throw new Error('filtered above');
    const problems = async (value: number): Promise<readonly string[]> =>
      await problemsOf(program, { flags: { ...WIDE[programName], [name]: String(value) } });
    expect(await problems(spec.min)).toEqual([]);
    expect(await problems(spec.max)).toEqual([]);
    expect(await problems(spec.min - 1)).toHaveLength(1);
    expect(await problems(spec.max + 1)).toHaveLength(1);
  });
});

/** A value that the key takes and that is not its default. */
function otherValue(spec: KeySpec): string {
  const { print } = formatOf(spec);
  switch (spec.format) {
    case 'text':
    case 'id':
    case 'host':
    case 'topic':
      return 'another';
    case 'path':
      return '/another/file';
    case 'time-zone':
      return 'Pacific/Chatham';
    case 'time-of-day':
      return '23:59';
    case 'url-prefix':
      return '/another';
    case 'origin-list':
      return 'https://another.example';
    case 'network-list':
      return '10.0.0.0/8';
    case 'name-list':
      return 'another.example';
    case 'yes-no':
      return print(!spec.default);
    case 'auto-yes-no':
      return 'no';
    case 'choice':
      return spec.values.find((value) => value !== spec.default) ?? '';
    case 'log-level':
      return 'trace';
    case 'number':
    case 'integer':
    case 'address':
    case 'seconds':
    case 'whole-seconds':
    case 'kB':
    case 'MB':
      return print(spec.default === spec.max ? spec.min : Math.min(spec.max, spec.default + 1));
  }
}

/** What a key needs beside it. */
function companions(program: 'device' | 'server', name: string): Readonly<Record<string, string>> {
  if (/^mqtt\.password(_file)?$/.test(name)) return { 'mqtt.username': 'user' };
  if (name.endsWith('tls_cert_file')) return { [name.replace('cert', 'key')]: '/key' };
  if (name.endsWith('tls_key_file')) return { [name.replace('key', 'cert')]: '/cert' };
  if (name === 'mqtt.reconnect_min_seconds') return { 'mqtt.reconnect_max_seconds': '3600' };
  return program === 'server' && name === 'ingest.max_waiting' ? { 'ingest.batch_messages': '1' } : {};
}
