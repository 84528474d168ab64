import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseIni } from '../../src/config/ini.ts';
import { keyOf, sectionOf } from '../../src/config/schema.ts';
import { SERVER_SCHEMA } from '../../src/server/config-schema.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = join(root, 'config/container');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const lines = (text: string): readonly string[] =>
  text.split('\n').filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
/** Instructions of the Dockerfile, continued lines joined. */
const instructions = lines(read('config/container/Dockerfile').replaceAll('\\\n', ' '));
const ofKind = (kind: string): readonly string[] =>
  instructions.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
const compose = read('config/container/compose.yaml');

describe('the Dockerfile', () => {
  const copied = ofKind('COPY')
    .filter((words) => !words.startsWith('--from='))
    .flatMap((words) => words.split(/\s+/).slice(0, -1));

  it('copies only what exists, and what .dockerignore lets through', () => {
    const allowed = lines(read('config/container/Dockerfile.dockerignore'))
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(copied.length).toBeGreaterThan(8);
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect([...new Set(copied)].sort()).toEqual([...allowed].sort());
  });

  it('takes one Node.js for building and running, of a fixed major version', () => {
    expect(ofKind('ARG')).toEqual(['NODE_IMAGE=node:24-slim']);
    expect(ofKind('FROM').map((words) => words.split(' ')[0])).toEqual([`\${NODE_IMAGE}`, `\${NODE_IMAGE}`]);
  });

  it('ends as a user that is not root, by number', () => {
    expect(ofKind('USER')).toEqual(['1000:1000']);
    expect(instructions.findIndex((line) => line.startsWith('USER '))).toBeGreaterThan(
      instructions.findLastIndex((line) => line.startsWith('RUN ')),
    );
  });

  it('holds no password, and sets only keys of the server that exist', () => {
    const variables = [
      ...ofKind('ENV')
        .join(' ')
        .matchAll(/(\w+)=/g),
    ].map((match) => match[1] ?? '');
    expect(variables.filter((name) => /password|token|secret/i.test(name))).toEqual([]);
    expect(unknownKeys(variables)).toEqual([]);
  });

  it('leaves in node_modules what the built server does not contain', () => {
    const external = /SERVER_EXTERNAL = \[([^\]]*)\]/.exec(read('scripts/build.mjs'))?.[1] ?? '';
    const kept = /LOADED = \[([^\]]*)\]/.exec(read('config/container/prune-packages.mjs'))?.[1] ?? '';
    expect(kept).toContain('better-sqlite3-napi');
    for (const name of external.match(/'[^']+'/g) ?? []) expect(kept).toContain(name);
  });
});

describe('compose.yaml', () => {
  it('mounts only files of the project that exist', () => {
    const mounted = [...compose.matchAll(/- (\.[^:\s]*):/g)].map((match) => match[1] ?? '');
    expect(mounted.length).toBeGreaterThan(5);
    expect(mounted.filter((path) => !existsSync(join(folder, path)))).toEqual([]);
  });

  it('asks for nothing that the example of a project does not have', () => {
    const settings = lines(read('config/container/example/settings.env')).map((line) => line.split('=')[0]);
    const required = [...compose.matchAll(/\$\{(\w+):\?/g)].map((match) => match[1] ?? '');
    expect(new Set(required)).toEqual(new Set(['BROKER_HOST', 'INSTANCE', 'RECEIPTS', 'FOLDER']));
    expect(required.filter((name) => !settings.includes(name))).toEqual([]);
    const files = [...compose.matchAll(/\$\{FOLDER[^}]*\}\/([\w-]+)/g)].map((match) => match[1] ?? '');
    expect(files.filter((name) => !existsSync(join(folder, 'example', name)))).toEqual([]);
  });

  it('gives every setting of the example a meaning', () => {
    const settings = lines(read('config/container/example/settings.env')).map((line) => line.split('=')[0] ?? '');
    const unused = settings.filter((name) => name !== 'COMPOSE_PROFILES' && !compose.includes(`\${${name}`));
    expect(unused).toEqual([]);
  });

  it('sets only keys of the server that exist', () => {
    const variables = [...compose.matchAll(/^ +(TECHTEMP_[A-Z_]+):/gm)].map((match) => match[1] ?? '');
    expect(variables).toHaveLength(4);
    expect(unknownKeys(variables)).toEqual([]);
  });
});

describe('the example of a project', () => {
  it('has a server.conf of keys that exist', () => {
    const { entries } = parseIni(read('config/container/example/server/server.conf'));
    const known = ({ section, key }: { section: string; key: string }): boolean => {
      const spec = sectionOf(SERVER_SCHEMA, section);
      return spec !== undefined && keyOf(spec, key) !== undefined;
    };
    expect(entries.length).toBeGreaterThan(0);
    expect(entries.filter((entry) => !known(entry))).toEqual([]);
  });

  it('holds no password', () => {
    for (const name of ['mqtt-password', 'grafana-password', 'postgres-password']) {
      expect(read(`config/container/example/${name}`)).toBe('');
    }
  });

  it('has copies that git leaves alone', () => {
    expect(lines(read('config/container/.gitignore'))).toEqual(['/production/', '/staging/']);
  });
});

describe('the broker of compose.yaml', () => {
  it('gives devices the rights that they have at the broker of bootstrap-pi.sh', () => {
    const patterns = (path: string): readonly string[] =>
      lines(read(path)).filter((line) => line.startsWith('pattern '));
    const here = patterns('config/container/mosquitto/techtemp.acl');
    expect(here.length).toBeGreaterThan(2);
    expect(here).toEqual(patterns('config/mosquitto/techtemp.acl'));
  });
});

/** Those of `TECHTEMP_SECTION_KEY` that name no key of server.conf. */
function unknownKeys(variables: readonly string[]): readonly string[] {
  const known = Object.entries(SERVER_SCHEMA).flatMap(([section, { keys }]) =>
    Object.keys(keys).map((key) => `TECHTEMP_${section}_${key}`.toUpperCase()),
  );
  return variables.filter((name) => name.startsWith('TECHTEMP_') && !known.includes(name));
}
