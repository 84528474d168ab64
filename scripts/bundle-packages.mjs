// The packages that the built programs load from node_modules at run time, and of each only what running needs.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, extname, join } from 'node:path';

/** What other packages want only to be compiled or fetched. nan stays: a Pi whose Node.js no variant fits compiles for itself. */
const FOR_INSTALLATION = ['prebuild-install', 'node-addon-api'];
const NEEDLESS_FOLDERS = new Set(
  '.github .git node_modules build prebuilds deps test tests e2e example examples integration-test benchmark benchmarks bench docs'.split(
    ' ',
  ),
);
const NEEDLESS_AT_THE_TOP = /^(\.|readme|history|changelog|authors|eslint|playwright|tsconfig|binding\.gyp$)/i;
const NEEDLESS_ANYWHERE = /\.(map|ts|mts|cts|tsbuildinfo)$/i;
/** Of these the sources stay: they are small, and they are what a Pi without a fitting variant compiles. */
const COMPILED_ON_A_PI = ['i2c-bus', 'sd-notify'];

/** @returns where in node_modules each package lies that the named ones need, the named ones included; sorted */
export function packageFolders(lock, names) {
  const found = new Set();
  const add = (from, name) => {
    const folder = resolve(lock, from, name);
    if (folder === undefined) throw new Error(`package-lock.json has no ${name}, which ${from || 'the project'} needs`);
    if (found.has(folder)) return;
    found.add(folder);
    for (const next of Object.keys(lock[folder].dependencies ?? {})) {
      if (!FOR_INSTALLATION.includes(next)) add(folder, next);
    }
  };
  for (const name of names) add('', name);
  return [...found].sort();
}

/** As Node.js looks for a package: beside the one that asks, then upwards. */
function resolve(lock, from, name) {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    const folder = `${base === '' ? '' : `${base}/`}node_modules/${name}`;
    if (folder in lock) return folder;
    if (base === '') return undefined;
    if (!base.includes('/node_modules/')) base = '';
  }
}

/**
 * Copies one package without what running does not need. Names tell only at its top: yaml keeps code in dist/doc, and a module
 * below lib may be called history.js.
 */
export function copyPackage(source, target, folder) {
  const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const keepsSources = COMPILED_ON_A_PI.includes(name);
  const isWanted = (path) => {
    if (path === source) return true;
    const word = basename(path);
    const isBelow = path.slice(source.length + 1).includes('/');
    if (isBelow) return !NEEDLESS_ANYWHERE.test(word) && !word.endsWith('.md');
    if (extname(word) === '' && NEEDLESS_FOLDERS.has(word)) return false;
    if (word === 'src') return keepsSources || !existsSync(join(source, 'binding.gyp'));
    if (word === 'binding.gyp') return keepsSources;
    return (
      !NEEDLESS_AT_THE_TOP.test(word) &&
      !NEEDLESS_ANYWHERE.test(word) &&
      !(word.endsWith('.md') && !/licen[cs]e/i.test(word))
    );
  };
  cpSync(source, target, { recursive: true, filter: isWanted, dereference: true });
}

/**
 * Where the package of a folder lies. npm leaves an optional one out where it does not fit the Node.js at hand; another machine
 * may need it all the same, so it is fetched and held against the lock file.
 */
export function presentPackage(root, lock, folder, work) {
  const installed = join(root, folder);
  const { name = basename(folder), version, integrity } = lock[folder];
  if (existsSync(join(installed, 'package.json'))) {
    const present = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')).version;
    if (present === version) return installed;
    throw new Error(`${folder} is ${present}, but package-lock.json says ${version}: run npm ci`);
  }
  const target = join(work, 'fetched', folder);
  mkdirSync(target, { recursive: true });
  const packed = command('npm', ['pack', '--silent', `${name}@${version}`], { cwd: target });
  const file = join(target, packed.trim().split('\n').at(-1));
  const [algorithm, wanted] = integrity.split(/-(.*)/s);
  if (createHash(algorithm).update(readFileSync(file)).digest('base64') !== wanted) {
    throw new Error(`${name}@${version} came with another checksum than package-lock.json has`);
  }
  command('tar', ['-xzf', file, '-C', target, '--strip-components=1']);
  rmSync(file);
  return target;
}

/** Runs a program to its end. @returns its standard output. @throws Error with its last words where it fails */
export function command(program, args, options = {}) {
  const result = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...options });
  if (result.status === 0) return result.stdout;
  const words = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-15).join('\n');
  throw new Error(
    `${program} ${args.join(' ')} failed (${result.error?.message ?? `exit ${result.status}`})\n${words}`,
  );
}

/** Every file below a folder, with its path from there; sorted as `sort` does in the C locale. */
export function filesBelow(folder, prefix = '') {
  return readdirSync(join(folder, prefix), { withFileTypes: true })
    .flatMap((entry) => {
      const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
      return entry.isDirectory() ? filesBelow(folder, path) : [path];
    })
    .sort((a, b) => (a < b ? -1 : 1));
}
