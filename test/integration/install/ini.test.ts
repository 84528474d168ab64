import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseIni } from '../../../src/config/ini.ts';

const SCRIPT = fileURLToPath(new URL('../../../scripts/install/ini.awk', import.meta.url));

describe('single keys of a configuration, as the installer reads and writes them', () => {
  test('a value goes into its own line, whose indentation and comment stay, and no other line changes', () => {
    const text = '# head\n[device]\n  label =  "old"  # mine\nroom=x\n\n[mqtt]\n';
    expect(set(text, 'device', 'label', 'new')).toBe('# head\n[device]\n  label = new  # mine\nroom=x\n\n[mqtt]\n');
  });

  test('a key that is commented out is set in that line, and one that is missing comes last in its section', () => {
    const text = '[device]\n#room =\n\n# second\n[sensor]\n#i2c_bus = 1\n\n[mqtt]\n';
    expect(set(text, 'device', 'room', 'a')).toBe(text.replace('#room =', 'room = a'));
    expect(set(text, 'sensor', 'type', 'aht20')).toBe(text.replace('#i2c_bus = 1\n', '#i2c_bus = 1\ntype = aht20\n'));
    expect(set(text, 'mqtt', 'tls', 'yes')).toBe(`${text}tls = yes\n`);
    expect(set(text, 'clock', 'source', 'trust')).toBe(`${text}\n[clock]\nsource = trust\n`);
  });

  test('the same key in another section is another key', () => {
    const text = '[device]\npath = a\n[journal]\npath = b\n';
    expect(get(text, 'journal', 'path')).toBe('b');
    expect(set(text, 'journal', 'path', 'c')).toBe('[device]\npath = a\n[journal]\npath = c\n');
  });

  test('lines of Windows stay lines of Windows, and a mark at the beginning of the file is no part of a section', () => {
    const text = '\uFEFF[device]\r\nroom = a\r\n#label =\r\n';
    expect(get(text, 'device', 'room')).toBe('a');
    expect(set(text, 'device', 'room', 'b')).toBe('\uFEFF[device]\r\nroom = b\r\n#label =\r\n');
    expect(set(text, 'device', 'label', 'b')).toBe('\uFEFF[device]\r\nroom = a\r\nlabel = b\r\n');
  });

  test('a key that is not set has no value, which is something else than an empty one', () => {
    expect(get('[device]\n#room = a\n', 'device', 'room')).toBeUndefined();
    expect(get('[device]\nroom =\n', 'device', 'room')).toBe('');
  });

  test('whatever one line can hold is read by the program as it was given, and by the installer too', () => {
    const lineOf = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => text.replace(/[\p{Cc}]/gu, ''));
    const awkward = fc.stringMatching(/^[ #;"'=[\]\\&$%a\u00fc\u00a0\u2003\u3000\ufeff-]{0,12}$/);
    fc.assert(
      fc.property(fc.oneof(lineOf, awkward), (value) => {
        const written = set('[device]\nlabel = x # c\n', 'device', 'label', value);
        const { entries, problems } = parseIni(written);
        expect(problems).toEqual([]);
        expect(entries.map((entry) => entry.value)).toEqual([value]);
        expect(get(written, 'device', 'label')).toBe(value);
      }),
      { numRuns: 150 },
    );
  });
});

function set(text: string, section: string, key: string, value: string): string {
  const { status, stdout } = awk(text, { INI_DO: 'set', INI_SECTION: section, INI_KEY: key, INI_VALUE: value });
  expect(status).toBe(0);
  return stdout;
}

function get(text: string, section: string, key: string): string | undefined {
  const { status, stdout } = awk(text, { INI_DO: 'get', INI_SECTION: section, INI_KEY: key });
  return status === 0 ? stdout.slice(0, -1) : undefined;
}

function awk(input: string, env: Readonly<Record<string, string>>): { status: number | null; stdout: string } {
  const { PATH = '' } = process.env;
  return spawnSync('awk', ['-f', SCRIPT], { input, encoding: 'utf8', env: { PATH, LC_ALL: 'C', ...env } });
}
