import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const folder = resolve(import.meta.dirname, '../../docs/decisions');
const files = readdirSync(folder)
  .filter((file) => file !== 'README.md')
  .sort();
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
const titleOf = (file: string): string => /^# \d+\. (.+)$/m.exec(read(file))?.[1] ?? '';

describe('the decisions', () => {
  it('are numbered without a hole, in their file names and their titles', () => {
    expect(files.length).toBeGreaterThan(54);
    const numbers = files.map((file) => [file.slice(0, 4), /^# (\d+)\. /.exec(read(file))?.[1]]);
    expect(numbers).toEqual(files.map((_file, index) => [String(index + 1).padStart(4, '0'), String(index + 1)]));
    expect(files.filter((file) => !/^\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md$/.test(file))).toEqual([]);
  });

  it('are all in the index, with their titles', () => {
    const rows = [...read('README.md').matchAll(/^\| (\d+) \| \[(.+)\]\((.+)\) \|$/gm)].map((row) => row.slice(1));
    expect(rows).toEqual(files.map((file, index) => [String(index + 1), titleOf(file), file]));
  });

  it.each(files)('%s says why, what, and what it costs', (file) => {
    const [, ...sections] = read(file).split(/^## /m);
    expect(sections.map((section) => section.split('\n')[0])).toEqual(['Context', 'Choice', 'What it costs']);
    for (const section of sections) expect(section.split('\n').slice(1).join(' ').trim()).not.toBe('');
  });
});
