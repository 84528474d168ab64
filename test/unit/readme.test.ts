import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseIni } from '../../src/config/ini.ts';
import { keyOf, sectionOf } from '../../src/config/schema.ts';
import { DEVICE_SCHEMA } from '../../src/device/config-schema.ts';
import { SERVER_SCHEMA } from '../../src/server/config-schema.ts';

const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = (language: string): readonly string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, 'g'))].map((match) => match[1] ?? '');
const sources = (...paths: readonly string[]): string =>
  paths.map((path) => readFileSync(join(root, path), 'utf8')).join('\n');

describe('README.md', () => {
  it('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)].map((match) => match[1] ?? '');
    expect(links.length).toBeGreaterThan(4);
    expect(links.filter((link) => !existsSync(join(root, link)))).toEqual([]);
  });

  it('shows keys that exist, in their sections', () => {
    const examples = blocks('ini').map((text) => parseIni(text).entries);
    expect(examples).toHaveLength(2);
    for (const [index, schema] of [DEVICE_SCHEMA, SERVER_SCHEMA].entries()) {
      const unknown = (examples[index] ?? []).filter(({ section, key }) => {
        const spec = sectionOf(schema, section);
        return spec === undefined || keyOf(spec, key) === undefined;
      });
      expect(unknown).toEqual([]);
    }
  });

  it.each(['device', 'server'])('names commands of techtemp-%s that exist', (name) => {
    const program = `techtemp-${name}`;
    const registering = readdirSync(join(root, `src/${name}/commands`)).filter((file) => file.startsWith('register'));
    const text = sources(
      'src/cli/program.ts',
      `src/${name}/cli.ts`,
      ...registering.map((file) => `src/${name}/commands/${file}`),
    );
    const registered = new Set([...text.matchAll(/\.command\('(\w+)/g)].map((match) => match[1] ?? ''));
    const tables = [...readme.matchAll(new RegExp(`\`${program} (\\w+)`, 'g'))].map((match) => match[1] ?? '');
    expect(tables.length).toBeGreaterThan(4);
    expect(tables.filter((name) => !registered.has(name))).toEqual([]);
  });
});
