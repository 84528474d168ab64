import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleInto } from '../../support/release-bundles.ts';

describe('npm run bundle', { timeout: 400_000 }, () => {
  let folder: string;
  let file: string;
  let unpacked: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'techtemp-bundle-'));
    file = bundleInto(folder);
    unpacked = join(folder, basename(file, '.tar.gz'));
    expect(spawnSync('tar', ['-xzf', file, '-C', folder]).status).toBe(0);
  }, 400_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const files = (): readonly string[] =>
    readdirSync(unpacked, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(unpacked.length + 1));

  test('gives the same bytes again', () => {
    const other = join(folder, 'other');
    mkdirSync(other);
    const second = bundleInto(other);
    expect(basename(second)).toBe(basename(file));
    expect(readFileSync(second).equals(readFileSync(file))).toBe(true);
  });

  test('has one folder named as the archive, files of root, and a list that fits', () => {
    const list = spawnSync('tar', ['-tzvf', file], { encoding: 'utf8' }).stdout.trim().split('\n');
    expect(list.filter((line) => !line.includes(` ${basename(unpacked)}/`) || !line.includes(' 0/0 '))).toEqual([]);
    expect(spawnSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: unpacked }).status).toBe(0);
    const listed = readFileSync(join(unpacked, 'SHA256SUMS'), 'utf8').trim().split('\n');
    expect(listed).toHaveLength(files().length - 1);
  });

  test('says in RELEASE what it is and which native parts it has', () => {
    const release = readFileSync(join(unpacked, 'RELEASE'), 'utf8');
    expect(release).toMatch(new RegExp(`^name=${basename(unpacked).replaceAll('.', '\\.')}$`, 'm'));
    expect(release).toMatch(/^commit=[0-9a-f]{40}/m);
    const abi = process.versions.modules;
    expect(release).toMatch(new RegExp(`^native=i2c-bus [0-9.]+ \\w+ node\\d+ abi${abi} GLIBC_`, 'm'));
    expect(release).toMatch(new RegExp(`^native=sd-notify [0-9.]+ \\w+ node\\d+ abi${abi} `, 'm'));
    expect(release).toMatch(/^not-for=armv6/m);
  });

  test('has no leftovers of compiling, no map, no path of this machine in what was compiled', () => {
    expect(files().filter((path) => /(^|\/)(build|deps|prebuilds|obj\.target)\/|\.(map|tgz|a|o)$/.test(path))).toEqual(
      [],
    );
    const compiled = files().filter((path) => path.endsWith('.node'));
    expect(compiled).toHaveLength(2);
    for (const path of compiled) {
      expect(path).toMatch(/lib\/binding\/node-v\d+-linux-\w+\//);
      expect(readFileSync(join(unpacked, path)).includes(process.cwd())).toBe(false);
    }
  });

  test('runs out of its own folder, with its own packages', () => {
    const load = spawnSync(process.execPath, ['scripts/install/load-native.cjs', 'device'], {
      cwd: unpacked,
      encoding: 'utf8',
    });
    expect({ status: load.status, stdout: load.stdout }).toEqual({ status: 0, stdout: '' });
    for (const program of ['device', 'server']) {
      const run = spawnSync(process.execPath, [join(unpacked, `dist/techtemp-${program}.js`), '--version'], {
        cwd: '/',
        encoding: 'utf8',
      });
      expect(run.stdout.trim()).toBe(/^version=(.*)$/m.exec(readFileSync(join(unpacked, 'RELEASE'), 'utf8'))?.[1]);
    }
  });

  test('takes to other machines only what Debian 12 can load, and says where to make it', () => {
    const judge = (needed: string): string => {
      const script = `import { requirePortable } from './scripts/bundle-native.mjs'; requirePortable('${needed}');`;
      return spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).stderr;
    };
    for (const needed of ['any', 'GLIBC_2.2', 'GLIBC_2.36']) expect(judge(needed)).toBe('');
    for (const needed of ['GLIBC_2.37', 'GLIBC_2.38', 'GLIBC_3.0']) {
      expect(judge(needed)).toContain(`it needs ${needed}, and Debian 12 has 2.36: make the bundle on Debian 12`);
    }
  });

  test('lists the checksum of each archive beside them', () => {
    expect(readFileSync(join(folder, 'SHA256SUMS'), 'utf8')).toContain(`  ${basename(file)}\n`);
    expect(spawnSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder }).status).toBe(0);
  });

  test('refuses processors and versions of Node.js that it does not know', () => {
    expect(() => bundleInto(folder, ['--arch', 'mips'])).toThrow(/--arch mips: mips is not one of amd64, arm64, armhf/);
    expect(() => bundleInto(folder, ['--abi', '93'])).toThrow(/--abi 93: 93 is not one of 115, 127, 137/);
  });
});
