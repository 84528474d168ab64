import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** A bundle as `npm run bundle` makes it, and releases that differ from it. */
export interface Bundles {
  /** Where the archives lie. */
  readonly folder: string;
  /** The archive of the project as it is, of this machine's variant, for a device alone. */
  readonly original: string;
  /**
   * An archive of another release: the same but for what `edit` does to its folder, and for what `damage` does after its checksums
   * have been taken. @returns its file and its name
   */
  vary(
    id: string,
    edit?: (folder: string) => void,
    damage?: (folder: string) => void,
  ): { readonly file: string; readonly name: string };
  remove(): void;
}

export function makeBundles(): Bundles {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-bundles-'));
  const original = bundleInto(folder);
  return {
    folder,
    original,
    vary: (id, edit = () => undefined, damage = () => undefined) => {
      const draft = join(folder, `draft-${id}`);
      mkdirSync(draft);
      call('tar', ['-xzf', original, '-C', draft, '--strip-components=1']);
      edit(draft);
      const name = `${/^version=(.*)$/m.exec(readFileSync(join(draft, 'RELEASE'), 'utf8'))?.[1]}-${id}`;
      const release = readFileSync(join(draft, 'RELEASE'), 'utf8');
      writeFileSync(join(draft, 'RELEASE'), release.replace(/^name=.*$/m, `name=techtemp-${name}`));
      writeSums(draft);
      damage(draft);
      return { file: pack(draft, name), name };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Runs `npm run bundle` and answers the archive it made. */
export function bundleInto(folder: string, args: readonly string[] = ['--here', '--role', 'device']): string {
  const before = new Set(readdirSync(folder));
  call(process.execPath, [join(PROJECT, 'scripts/bundle.mjs'), '--out', folder, ...args]);
  const made = readdirSync(folder).find((file) => file.endsWith('.tar.gz') && !before.has(file));
  if (made === undefined) throw new Error('no bundle was made');
  return join(folder, made);
}

/** An archive of a folder under the name of a release. */
export function pack(draft: string, name: string): string {
  const file = `${draft}.tar.gz`;
  call('tar', ['-czf', file, '-C', draft, `--transform=s,^\\.,techtemp-${name},`, '.']);
  return file;
}

function writeSums(folder: string): void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((file) => file !== 'SHA256SUMS')
    .sort();
  const sum = (file: string): string =>
    createHash('sha256')
      .update(readFileSync(join(folder, file)))
      .digest('hex');
  writeFileSync(join(folder, 'SHA256SUMS'), files.map((file) => `${sum(file)}  ${file}\n`).join(''));
}

function call(program: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', cwd: PROJECT });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
}
