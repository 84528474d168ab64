import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const BUILT = resolve(import.meta.dirname, '../../../dist/dashboard');
const KB = 1000;

/** What a phone has to load, compressed as the server sends it. */
describe.skipIf(!existsSync(BUILT))('the weight of the dashboard', () => {
  const gzipped = (file: string): number => readFileSync(join(BUILT, `${file}.gz`)).length;
  const assets = (pattern: RegExp): string[] =>
    readdirSync(join(BUILT, 'assets'))
      .filter((name) => pattern.test(name))
      .map((name) => `assets/${name}`);
  const first = (): number => {
    const html = readFileSync(join(BUILT, 'index.html'), 'utf8');
    const named = [...html.matchAll(/(?:href|src)="(assets\/[^"]+)"/g)].map(([, file = '']) => file);
    const files = new Set([...named, ...assets(/^en-.*\.js$/), 'index.html', 'icon.svg']);
    return [...files].reduce((sum, file) => sum + gzipped(file), 0);
  };

  it('the first view is under 45 kB', () => {
    expect(first()).toBeLessThan(45 * KB);
  });

  it('with the chart it is under 80 kB', () => {
    const all = assets(/\.(js|css)$/).filter((file) => !/\/(fr|nl|de)-/.test(file));
    expect(all.reduce((sum, file) => sum + gzipped(file), 0)).toBeLessThan(80 * KB);
  });
});
