import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseIni } from '../../src/config/ini.ts';
import { type ConfigSchema, keyOf, sectionOf } from '../../src/config/schema.ts';
import { DEVICE_SCHEMA } from '../../src/device/config-schema.ts';
import { SERVER_SCHEMA } from '../../src/server/config-schema.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const sources = (folder: string, pattern: RegExp): string =>
  readdirSync(join(root, folder))
    .filter((file) => pattern.test(file))
    .map((file) => read(join(folder, file)))
    .join('\n');
/** Sorted, each once. */
const distinct = (words: readonly string[]): readonly string[] => [...new Set(words)].sort();
const found = (text: string, pattern: RegExp): readonly string[] =>
  distinct([...text.matchAll(pattern)].map((match) => match[1] ?? ''));

const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((file) => `docs/${file}`)].filter((path) =>
  path.endsWith('.md'),
);
const linked = [
  ...pages,
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs/decisions')).map((file) => `docs/decisions/${file}`),
];
const guide = pages.map(read).join('\n');
const code = [...guide.matchAll(/```[a-z]*\n([^]*?)```/g), ...guide.matchAll(/`([^`\n]+)`/g)]
  .map((match) => match[1] ?? '')
  .join('\n');

describe.each(linked)('%s', (page) => {
  it('links to files and headings that exist', () => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map((match) => match[1] ?? '');
    const dead = links.filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !headings(read(target)).includes(anchor);
    });
    expect(dead).toEqual([]);
  });
});

describe.each(pages)('%s', (page) => {
  const text = read(page);

  it('shows keys that exist, in sections that have them', () => {
    const examples = [...text.matchAll(/```ini\n([^]*?)```/g)]
      .map((match) => match[1] ?? '')
      // Those that begin so are for systemd.
      .filter((example) => !/^ *\[(Service|Unit)\]/m.test(example));
    const unknown = examples.flatMap((example) => {
      const { entries } = parseIni(example);
      const fits = (schema: ConfigSchema): boolean =>
        entries.every(({ section, key }) => {
          const spec = sectionOf(schema, section);
          return spec !== undefined && keyOf(spec, key) !== undefined;
        });
      return fits(DEVICE_SCHEMA) || fits(SERVER_SCHEMA) ? [] : [example];
    });
    expect(unknown).toEqual([]);
  });
});

describe('the operating guide', () => {
  it('has a table of contents that leaves no page out', () => {
    const contents = read('docs/README.md');
    const missing = pages
      .filter((page) => page.startsWith('docs/') && page !== 'docs/README.md')
      .filter((page) => !contents.includes(`](${page.slice('docs/'.length)})`));
    expect(missing).toEqual([]);
  });

  it.each(['ARCHITECTURE.md', 'CONTRIBUTING.md'])('%s names paths that exist', (page) => {
    const named = found(read(page), /`((?:src|drivers|test|scripts|config|docs|systemd)\/[\w./@-]*)`/g);
    // These stand for what is to be made.
    const existing = named.filter((path) => !/CHIP|NAME|sht4x/.test(path));
    expect(existing.length).toBeGreaterThan(10);
    expect(existing.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('names tests that exist and are run, for each promise one', () => {
    const text = read('docs/reliability.md');
    const named = found(text, /`(test\/[\w./-]+)`/g).filter((path) => path.includes('.'));
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    // What is no test file by its name is a part of the store's contract, which test files run.
    const contract = read('test/support/store-contract.ts');
    const parts = named.filter((path) => !path.endsWith('.test.ts'));
    expect(parts.filter((path) => !contract.includes(path.replace('test/support/', './')))).toEqual([]);
    const promises = text.slice(text.indexOf('| promised |'), text.indexOf('## What is not promised'));
    const rows = promises.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| promised |'));
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((row) => !row.includes('`test/'))).toEqual([]);
  });

  it('names options of bootstrap-pi.sh that exist', () => {
    const options = read('scripts/install/options.sh');
    const lists = ['OPTIONS_WITH_VALUE', 'OPTIONS_WITHOUT'].map(
      (name) => new RegExp(`^${name}=\\(([^)]*)\\)`, 'm').exec(options)?.[1] ?? '',
    );
    const known = new Set(found(lists.join(' '), /(--[a-z-]+)/g));
    const calls = code.replaceAll('\\\n', ' ').match(/bootstrap-pi\.sh[^\n|;]*/g) ?? [];
    const named = distinct(calls.flatMap((call) => found(call, /\s(--[a-z-]+)/g)));
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((option) => !known.has(option))).toEqual([]);
  });

  it('shows calls of bootstrap-pi.sh that it accepts', () => {
    const blocks = [...guide.matchAll(/```sh\n([^]*?)```/g)].map((match) => match[1] ?? '').join('\n');
    const calls = [...blocks.replaceAll('\\\n', ' ').matchAll(/bootstrap-pi\.sh([^\n;&|<]*)/g)].map((match) =>
      (match[1] ?? '').replace(/\s#.*/, ''),
    );
    expect(calls.length).toBeGreaterThan(20);
    // The options are judged and nothing is done. Files that a reader would have are taken for present.
    const judge = [
      'set -euo pipefail; PROJECT_DIR=$PWD',
      'source scripts/install/lib.sh; for file in scripts/install/*.sh; do source "$file"; done',
      'need_file() { :; }; host=bedroom.local name=aht20-f49c53 room=Bedroom',
      'while IFS= read -r words; do',
      '  said=$( (eval "parse_options $words") 2>&1 </dev/null) || printf "%s: %s\\n" "$words" "$said"',
      'done',
    ].join('\n');
    const input = `${[...calls, '--role gardener'].join('\n')}\n`;
    const { stdout } = spawnSync('bash', ['-c', judge], { cwd: root, encoding: 'utf8', input });
    // The last one shows that a wrong call would be seen.
    expect(stdout).toMatch(/^--role gardener: refused/);
  });

  it('names no option that nobody has', () => {
    const programs = ['src/device/commands', 'src/server/commands'].map((folder) => sources(folder, /\.ts$/));
    const all = [
      read('scripts/install/options.sh'),
      read('scripts/bundle.mjs'),
      read('config/container/compose.yaml'),
      ...programs,
    ];
    const named = found(guide, /`(--[a-z-]+)[^`\n]*`/g);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((option) => !all.some((text) => text.includes(option)))).toEqual([]);
  });

  it.each(['device', 'server'])('names commands and options of techtemp-%s that exist', (name) => {
    const registering = sources(`src/${name}/commands`, /^(register|command)/);
    const text = `${read(`src/${name}/cli.ts`)}\n${registering}\n${sources('src/cli', /\.ts$/)}\n${read('src/doctor/check-command.ts')}`;
    const commands = new Set(found(text, /\.command\('([\w-]+)/g));
    const options = new Set([...found(text, /['\s,](--[a-z-]+)/g), '--help', '--version']);
    const calls = code.match(new RegExp(`techtemp-${name} [^\\n|;&\\\`]*`, 'g')) ?? [];
    const words = calls.map((call) => call.split('#')[0]?.trim().split(/\s+/).slice(1) ?? []);
    expect(words.length).toBeGreaterThan(5);
    const unknown = words.filter(([command = '', ...rest]) => {
      if (!/^[a-z]+$/.test(command)) return false;
      return (
        !commands.has(command) || rest.some((word) => word.startsWith('--') && !options.has(word.split('=')[0] ?? ''))
      );
    });
    expect(unknown).toEqual([]);
  });

  it('names findings of the doctors that exist', () => {
    const known = new Set(
      ['src/device/doctor/FINDINGS.md', 'src/server/doctor/FINDINGS.md'].flatMap((path) =>
        found(read(path), /^\| `([a-z-]+\.[a-z-]+)` \|/gm),
      ),
    );
    const kinds = distinct([...known].map((id) => id.split('.')[0] ?? ''));
    const named = found(guide, new RegExp(`\`((?:${kinds.join('|')})\\.[a-z-]+)\``, 'g'));
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((id) => !known.has(id) && !/\.(conf|db|md)$/.test(id))).toEqual([]);
  });

  it('names keys that exist where it says what to write', () => {
    const keys = new Set(
      [DEVICE_SCHEMA, SERVER_SCHEMA].flatMap((schema: ConfigSchema) =>
        Object.values(schema).flatMap((section) => Object.keys(section.keys)),
      ),
    );
    const named = found(guide, /`([a-z][a-z0-9_]+) = [^`]*`/g);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((key) => !keys.has(key))).toEqual([]);
  });

  it('names paths that the installer and the units use', () => {
    const used = expanded(
      [
        sources('scripts/install', /\.(sh|txt)$/),
        sources('systemd', /./),
        sources('config/mosquitto', /\.(acl|conf)$/),
        sources('config/mosquitto/lan', /./),
        sources('src/server/commands', /command-config/),
        read('src/server/config.ts'),
        read('src/device/agent.ts'),
        read('src/device/journal/epoch-register.ts'),
        read('src/device/publisher/servers.ts'),
      ].join('\n'),
    );
    const ours = /(\/(?:etc|var\/lib|opt|usr\/local\/bin|run)\/[\w./-]*techtemp[\w./@-]*[\w-])/g;
    const named = found(code, ours).filter((path) => !/\.(cron|new|img)$|techtemp-backup|\/mnt\//.test(path));
    const unknown = named.filter((path) => !isUsed(path, used));
    expect(named.length).toBeGreaterThan(15);
    expect(unknown).toEqual([]);
  });
});

/** As GitHub makes them. */
function headings(markdown: string): readonly string[] {
  return [...markdown.replaceAll(/```[^]*?```/g, '').matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Shell variables that hold a place, replaced by the place. */
function expanded(text: string): string {
  const places = [...text.matchAll(/^([A-Z_]+)=(\/\S+|\$[A-Z_]+\/\S+)$/gm)].map((match) => [
    match[1] ?? '',
    match[2] ?? '',
  ]);
  let result = text;
  // A place may be made of another one.
  for (let round = 0; round < 2; round += 1) {
    for (const [name, place] of places) result = result.replaceAll(`$${name}`, place ?? '');
  }
  return result;
}

/** Literally, with the name of an instance in it, or as a file of that name in a folder that is. */
function isUsed(path: string, used: string): boolean {
  const general = path.replace('/var/lib/private/', '/var/lib/').replace('-staging', '-%i');
  if (used.includes(general) || used.includes(`StateDirectory=${general.replace('/var/lib/', '')}\n`)) return true;
  const [folder, name] = [dirname(general), general.slice(dirname(general).length + 1)];
  return folder.includes('techtemp') && used.includes(name) && isUsed(folder, used);
}
