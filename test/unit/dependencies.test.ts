import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

type Versions = Readonly<Record<string, string>>;
interface PackageJson {
  readonly dependencies: Versions;
  readonly optionalDependencies: Versions;
  readonly devDependencies: Versions;
}

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const { dependencies, optionalDependencies, devDependencies } = JSON.parse(read('package.json')) as PackageJson;
const page = read('docs/dependencies.md');

/** The cells of each row of the table below a heading, the head of the table left out. */
function rowsOf(heading: string): readonly (readonly string[])[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| `'));
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
const nameIn = (row: readonly string[]): string => row[0]?.replaceAll('`', '') ?? '';

describe('docs/dependencies.md', () => {
  it.each([
    ['Always installed', dependencies],
    ['Optional at installation', optionalDependencies],
  ] as const)(
    '%s: each package of package.json once, in order, with what it is for and the cost of doing without',
    (heading, wanted) => {
      const rows = rowsOf(heading);
      expect(rows.map(nameIn)).toEqual(Object.keys(wanted).sort());
      for (const row of rows) {
        expect(row).toHaveLength(5);
        expect(row.filter((cell) => cell === '')).toEqual([]);
      }
    },
  );

  it('gives a reason for each package that is not the newest, and names the version that is here', () => {
    const here = { ...dependencies, ...optionalDependencies, ...devDependencies };
    const rows = rowsOf('Not the newest version');
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.map((row) => [nameIn(row), row[1]])).toEqual(rows.map((row) => [nameIn(row), here[nameIn(row)]]));
    for (const [, , newest = '', reason = ''] of rows) {
      expect(newest).toMatch(/^\d/);
      expect(reason).not.toBe('');
    }
  });
});
