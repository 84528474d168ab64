import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GOLDEN_DIRECTORY, GOLDEN_FILES } from '../../support/golden.ts';

describe('the golden files', () => {
  it('are those that the tests compare with, no more and no less', () => {
    const there = readdirSync(GOLDEN_DIRECTORY, { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'README.md')
      .map(({ name }) => name);
    expect(there.sort()).toEqual([...GOLDEN_FILES].sort());
  });

  it('are each compared by one test', () => {
    const tests = readdirSync(import.meta.dirname)
      .filter((name) => name !== 'files.test.ts')
      .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'))
      .join('\n');
    for (const name of GOLDEN_FILES) expect([name, tests.split(`'${name}'`).length - 1]).toEqual([name, 1]);
  });
});
