import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const PROGRAMS = ['techtemp-device.js', 'techtemp-server.js', 'techtemp-start.js', 'techtemp-store-worker.js'];

/** What git keeps (nothing that it ignores) and the packages. */
describe('S22: a fresh clone', () => {
  let clone = '';

  beforeAll(() => {
    clone = mkdtempSync(join(tmpdir(), 'techtemp-clone-'));
    const listing = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const files = execFileSync('git', listing, { cwd: root, encoding: 'utf8' }).split('\0');
    for (const file of files.filter((name) => name !== '' && existsSync(join(root, name)))) {
      cpSync(join(root, file), join(clone, dirname(file), file.slice(file.lastIndexOf('/') + 1)));
    }
    cpSync(join(root, 'node_modules/.package-lock.json'), join(clone, 'node_modules/.package-lock.json'));
    for (const name of readdirSync(join(root, 'node_modules')).filter((entry) => !entry.startsWith('.'))) {
      symlinkSync(join(root, 'node_modules', name), join(clone, 'node_modules', name));
    }
    execFileSync(process.execPath, ['scripts/setup.mjs', 'start'], { cwd: clone });
  });
  afterAll(() => rmSync(clone, { recursive: true, force: true }));

  it('builds every program out of what git keeps', () => {
    expect(readdirSync(join(clone, 'dist'))).toEqual(expect.arrayContaining(PROGRAMS));
  });

  it.each(['techtemp-device', 'techtemp-server'])('%s runs from there', (program) => {
    const version = execFileSync(process.execPath, [join(clone, `dist/${program}.js`), '--version'], {
      encoding: 'utf8',
    });
    expect(version).toMatch(/^\d+\.\d+\.\d+\n$/);
    const defaults = execFileSync(process.execPath, [join(clone, `dist/${program}.js`), 'config', '--defaults'], {
      encoding: 'utf8',
    });
    expect(defaults).toContain('[mqtt]');
  });
});
