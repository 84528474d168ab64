import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const COPY = Array.from({ length: 9 }, (_, index) => `call(${index});`);
/** Three files of code in a row, one that is alone, a style sheet, a picture, a file that git does not know. */
const TREE: Readonly<Record<string, string>> = {
  'src/device/main.ts':
    "import { a } from './a.ts';\nimport type { B } from './deep/b.ts';\nimport '../style.css';\na();\n",
  'src/device/a.ts': "export const a = async () => (await import('./deep/b.ts')).b;\n",
  'src/device/deep/b.ts': ['export const b = 1;', ...COPY, ''].join('\n'),
  'src/style.css': 'a {}\n',
  'src/icon.png': 'binary\n',
  'drivers/long.ts': [
    ...COPY.map((line) => `   ${line}   `),
    '',
    ...Array.from({ length: 301 }, (_, index) => `// ${index}`),
  ]
    .join('\n')
    .concat('\n'),
  'package-lock.json': JSON.stringify({
    packages: {
      '': {},
      'node_modules/mqtt': {},
      'node_modules/vitest': { dev: true },
      'node_modules/i2c': { optional: true },
    },
  }),
  'dist/techtemp-device.js': 'x'.repeat(1000),
  'dist/techtemp-device.js.map': '{}',
  'dist/dashboard/assets/style.css': 'a {}\n',
};
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'techtemp-measure-'));
  for (const [path, text] of Object.entries(TREE)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  execFileSync('git', ['init', '-q'], { cwd: folder });
  execFileSync('git', ['add', '.'], { cwd: folder });
  writeFileSync(join(folder, 'src/unknown.ts'), 'not counted\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function measured(...options: readonly string[]): string {
  return execFileSync(process.execPath, ['scripts/measure-house.mjs', folder, ...options], { encoding: 'utf8' });
}

describe('the measures of the code', () => {
  it('are those of a small tree that can be counted by hand', () => {
    expect(JSON.parse(measured('--json'))).toEqual({
      files: 5,
      lines: 4 + 1 + 10 + 1 + 311,
      medianLines: 4,
      meanLines: 65,
      filesUpTo60Lines: 4,
      filesOver300Lines: 1,
      importEdges: 4,
      // a.ts and style.css; b.ts has two importers, main.ts and long.ts none.
      filesWithOneImporter: 2,
      duplicateLines: 2 * COPY.length,
      productionPackages: 2,
      chains: { drivers: 1, 'src/device': 3, 'src/device/deep': 1 },
      bundles: {
        'dashboard/assets/style.css': { bytes: 5, gzipBytes: expect.any(Number) as number },
        'techtemp-device.js': { bytes: 1000, gzipBytes: expect.any(Number) as number },
      },
    });
  });

  it('are a table for people without --json', () => {
    expect(measured()).toMatch(/^files over 300 lines +1$/m);
    expect(measured()).toMatch(/^ {2}techtemp-device\.js +1000 \(\d+ gzip\)$/m);
  });
});
