import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');

interface Native {
  unusableNative(
    folder: string,
    platform?: string,
  ): readonly { readonly packages: readonly string[]; readonly reason: string }[];
  missingCompilers(path?: string): readonly string[];
  compilerRemedy(platform?: string, osRelease?: string): string | undefined;
}
const native = (await import(join(root, 'scripts/setup-native.mjs'))) as Native;

describe('packages with native parts', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'techtemp-native-'));
    mkdirSync(join(folder, 'node_modules'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const link = (name: string): void =>
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  const names = (platform = 'linux'): readonly (string | undefined)[] =>
    native.unusableNative(folder, platform).map(({ packages }) => packages[0]);

  it('are usable where they can be loaded', () => {
    for (const name of ['bindings', 'file-uri-to-path', 'better-sqlite3']) link(name);
    expect(names()).toEqual(['i2c-bus', 'sd-notify']);
    expect(names('darwin')).toEqual([]);
  });

  it('are not usable where the file was cut off, and the reason is told in one line', () => {
    for (const name of ['bindings', 'file-uri-to-path']) link(name);
    const copy = join(folder, 'node_modules/better-sqlite3');
    cpSync(join(root, 'node_modules/better-sqlite3'), copy, {
      recursive: true,
      // Where packages are links, the copy must not be one: it is written to below.
      dereference: true,
      filter: (path) => !path.includes('/deps'),
    });
    expect(names()).not.toContain('better-sqlite3');
    writeFileSync(join(copy, 'build/Release/better_sqlite3.node'), 'cut off');
    const found = native.unusableNative(folder).find(({ packages }) => packages[0] === 'better-sqlite3');
    expect(found?.reason).toMatch(/better_sqlite3\.node/);
    expect(found?.reason).not.toContain('\n');
  });

  it('are named as not installed where they are absent', () => {
    expect(native.unusableNative(folder, 'darwin')).toMatchObject([{ reason: 'not installed' }]);
  });
});

describe('what compiles them', () => {
  it('is missing where PATH has none of it', () => {
    expect(native.missingCompilers('/nowhere')).toEqual(['make', 'a C++ compiler', 'Python']);
    expect(native.missingCompilers()).toEqual([]);
  });

  it('is installed by the command that is printed', () => {
    const command = native.compilerRemedy('linux', 'PRETTY_NAME="Raspbian"\nID=raspbian\nID_LIKE=debian\n');
    expect(command).toBe('sudo apt-get install g++ make python3');
    // Only pretended: nothing is installed, and no root is needed.
    const simulated = spawnSync('apt-get', ['--simulate', ...(command ?? '').split(' ').slice(2)], {
      encoding: 'utf8',
    });
    expect(simulated.status, simulated.stderr).toBe(0);
  });

  it.each([
    ['linux', 'ID=fedora\n', 'sudo dnf install gcc-c++ make python3'],
    ['linux', 'ID=alpine\n', 'sudo apk add g++ make python3'],
    ['linux', 'ID="arch"\n', 'sudo pacman -S gcc make python'],
    ['darwin', '', 'xcode-select --install'],
    ['linux', 'ID=gentoo\n', undefined],
  ])('on %s with %j: %s', (platform, osRelease, command) => {
    expect(native.compilerRemedy(platform, osRelease)).toBe(command);
  });
});
