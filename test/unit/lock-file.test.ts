import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = resolve(import.meta.dirname, '../..');
const read = (name: string): unknown => JSON.parse(readFileSync(join(root, name), 'utf8'));
const { packages } = read('package-lock.json') as { readonly packages: Readonly<Record<string, LockedPackage>> };
const manifest = read('package.json') as Readonly<Record<string, Readonly<Record<string, string>>>>;

describe('S23: the lock file', () => {
  it('names no registry, so that it works with every mirror', () => {
    expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  it('says of every package what its content must be', () => {
    const unsealed = Object.entries(packages).filter(([path, { integrity }]) => path !== '' && integrity === undefined);
    expect(unsealed.map(([path]) => path)).toEqual([]);
  });

  it('holds the versions of package.json', () => {
    for (const kind of ['dependencies', 'optionalDependencies', 'devDependencies']) {
      for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
        // "npm:NAME@VERSION" is a package under another name.
        const wanted = version.replace(/^npm:.*@/, '');
        expect({ name, version: packages[`node_modules/${name}`]?.version }).toEqual({ name, version: wanted });
      }
    }
  });

  it.each(['linux-x64', 'linux-arm64', 'linux-arm'])('has the native parts of the build tool for %s', (platform) => {
    expect(packages[`node_modules/@esbuild/${platform}`]?.version).toBe(manifest['dependencies']?.['esbuild']);
  });

  it('has everything native that the packages in it may ask for, for whatever machine', () => {
    // A lock file made on one machine can lack the optional packages of all others (npm issue 4828).
    const wanted = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
      Object.keys(optionalDependencies),
    );
    const names = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 13)));
    expect(wanted.length).toBeGreaterThan(20);
    expect(wanted.filter((name) => !names.has(name))).toEqual([]);
  });
});
