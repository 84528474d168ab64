import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseIni } from '../../src/config/ini.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((file) => `docs/${file}`)].filter((path) =>
  path.endsWith('.md'),
);

/** What an access list allows: the rules of every device, and the rules of each account, sorted. */
function rulesIn(text: string): Readonly<Record<string, readonly string[]>> {
  const rules: Record<string, string[]> = {};
  let account = '';
  for (const line of text.split('\n').map((words) => words.trim())) {
    if (line.startsWith('user ')) account = line.slice('user '.length);
    const owner = line.startsWith('pattern ') ? 'every device' : line.startsWith('topic ') ? account : undefined;
    if (owner !== undefined) (rules[owner] ??= []).push(line);
  }
  return Object.fromEntries(Object.entries(rules).map(([owner, lines]) => [owner, lines.sort()]));
}

/** As the installer writes them into the access list. */
function installed(account: string): Readonly<Record<string, readonly string[]>> {
  const script = `source scripts/install/broker-accounts.sh; rights_of server ${account}`;
  return rulesIn(execFileSync('bash', ['-c', script], { cwd: root, encoding: 'utf8' }));
}

describe('the accounts at the broker', () => {
  const shipped = rulesIn(read('config/mosquitto/techtemp.acl'));

  it('docs/broker.md gives a device and the server the rights that the installer gives them', () => {
    const blocks = read('docs/broker.md').split('```');
    const rules = rulesIn(blocks.find((block) => block.startsWith('\n') && block.includes('\npattern ')) ?? '');
    expect(Object.keys(rules)).toEqual(['every device', 'techtemp-server']);
    expect(rules).toEqual({ ...shipped, ...installed('techtemp-server') });
  });

  it('the compose file gives them the same rights, and a second server no receipts', () => {
    const rules = rulesIn(read('config/container/mosquitto/techtemp.acl'));
    expect(rules).toEqual({ ...shipped, ...installed('techtemp-server'), ...installed('techtemp-server-staging') });
    expect(rules['techtemp-server-staging']?.join()).not.toContain('receipt');
  });

  it('README.md signs each program in under the name that these rights are for', () => {
    const examples = [...read('README.md').matchAll(/```ini\n([^]*?)```/g)].map(
      (match) => parseIni(match[1] ?? '').entries,
    );
    const valueOf = (example: number, wanted: string) =>
      examples[example]?.find(({ key }) => key === wanted)?.value.replace(/\s+#.*$/, '');
    expect(valueOf(0, 'username')).toBe(valueOf(0, 'device_uid'));
    expect(valueOf(1, 'username')).toBe('techtemp-server');
    expect(read('config/container/example/server/server.conf')).toMatch(/^username = techtemp-server$/m);
  });

  it.each(pages)('%s names a device by its device_uid where it signs in', (page) => {
    const names = [...read(page).matchAll(/--(?:username|add-device) (\S+?)[`\s]/g)].map((match) => match[1] ?? '');
    expect(names.filter((name) => !/^(aht20-[0-9a-f]{6}|techtemp-server|"\$name")$/.test(name))).toEqual([]);
  });
});
