// On a Raspberry Pi whose Node.js or processor no variant of the bundle fits: compiles the named packages of a release for this one.
//
//   node compile-native.mjs FOLDER CACHE PACKAGE...
//
// What was compiled before with the same sources, Node.js and compiler comes from the folder CACHE.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ADDONS, ARCHITECTURES, compile } from './bundle-native.mjs';
import { command, presentPackage } from './bundle-packages.mjs';

const [folder, cache, ...names] = process.argv.slice(2);
const root = resolve(folder);
const work = join(root, '.compile');
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
mkdirSync(work, { recursive: true });
const arch = command('dpkg', ['--print-architecture']).trim();
const abi = process.versions.modules;
const say = (text) => process.stdout.write(`${text}\n`);
const changed = new Map();

for (const name of names) {
  const addon = ADDONS.find((candidate) => candidate.name === name);
  if (addon === undefined) throw new Error(`${name} can't be compiled here: use Node.js 20 or 22 for the server`);
  const from = sourceOf(name);
  const { version } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
  const { bytes } = compile({ cache: resolve(cache), addon, version, arch, abi, work, from, say });
  write(`node_modules/${name}/lib/binding/node-v${abi}-linux-${ARCHITECTURES[arch].node}/${addon.file}`, bytes);
}
write('COMPILED', `${names.join(' ')} on this machine, for Node.js ${process.version}\n`);
rewriteSums();

/** SQLite's sources are fetched, and held against the checksum in RELEASE; those of the others came along. */
function sourceOf(name) {
  const own = join(root, 'node_modules', name);
  if (existsSync(join(own, 'binding.gyp'))) return own;
  const line = new RegExp(`^source=${name} (\\S+) (\\S+)$`, 'm').exec(readFileSync(join(root, 'RELEASE'), 'utf8'));
  if (line === null) throw new Error(`the sources of ${name} are not in this release`);
  const [, version, integrity] = line;
  return presentPackage(work, { [name]: { name, version, integrity } }, name, work);
}

function write(path, content) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
  changed.set(path, createHash('sha256').update(content).digest('hex'));
}

/** Whole or not at all: the list is what tells a sound release from a damaged one. */
function rewriteSums() {
  const file = join(root, 'SHA256SUMS');
  const others = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !changed.has(line.slice(66)));
  const lines = [...others, ...[...changed].map(([path, sum]) => `${sum}  ${path}`)];
  writeFileSync(`${file}.new`, `${lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join('\n')}\n`);
  command('mv', ['-f', `${file}.new`, file]);
}
