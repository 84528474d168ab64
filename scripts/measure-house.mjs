// Measures the code: files, lines, imports, duplicates, packages, bundles. The same script measures an older commit, in a worktree
// of its own, so that before and after are counted alike.
//
//   node scripts/measure-house.mjs [FOLDER] [--json] [--run [--readings=40] [--functions=0]]
//
// --run starts the built programs (dist/) with Mosquitto and the simulated sensor, and adds memory, CPU time of the start, and what
// one reading passes. It takes half a minute. --functions=30 names the thirty functions that a reading passes most often.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { measureRun } from './measure-run.mjs';

const SHORT_LINES = 60;
const LONG_LINES = 300;
/** So many equal lines in a row are a copy; fewer are often chance. */
const COPY_LINES = 8;
const BINARY = /\.(png|ico|woff2?)$/;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    run: { type: 'boolean', default: false },
    readings: { type: 'string', default: '40' },
    functions: { type: 'string', default: '0' },
  },
});
const root = resolve(positionals[0] ?? dirname(dirname(fileURLToPath(import.meta.url))));
const files = readSources();
const imports = importsOf(files);
const figures = {
  ...sizes(files),
  ...importFigures(imports),
  duplicateLines: duplicateLines(files),
  productionPackages: productionPackages(),
  chains: longestChains(imports),
  bundles: bundleSizes(),
  ...(options.run && (await measureRun(root, Number(options.readings), Number(options.functions)))),
};
process.stdout.write(options.json ? `${JSON.stringify(figures, undefined, 2)}\n` : table(figures));

/** Path -> text of every file that git knows in src/ and drivers/. */
function readSources() {
  const list = execFileSync('git', ['ls-files', '-z', 'src', 'drivers'], { cwd: root, encoding: 'utf8' });
  const paths = list.split('\0').filter((path) => path !== '' && !BINARY.test(path) && existsSync(join(root, path)));
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

function sizes(texts) {
  const lines = [...texts.values()].map((text) => text.split('\n').length - (text.endsWith('\n') ? 1 : 0));
  lines.sort((a, b) => a - b);
  const total = lines.reduce((sum, count) => sum + count, 0);
  return {
    files: lines.length,
    lines: total,
    medianLines: lines[lines.length >> 1] ?? 0,
    meanLines: lines.length === 0 ? 0 : Math.round(total / lines.length),
    filesUpTo60Lines: lines.filter((count) => count <= SHORT_LINES).length,
    filesOver300Lines: lines.filter((count) => count > LONG_LINES).length,
  };
}

/** Path -> the files of ours that it imports, each once; types, lazy imports and style sheets too. */
function importsOf(texts) {
  const pattern = /(?:\bfrom|\bimport|@import)\s*\(?\s*(?:url\()?['"](\.{1,2}\/[^'"]+)['"]/g;
  return new Map(
    [...texts].map(([path, text]) => {
      const found = [...text.matchAll(pattern)].map(([, target]) => posix.join(posix.dirname(path), target));
      return [path, new Set(found.filter((target) => texts.has(target) && target !== path))];
    }),
  );
}

function importFigures(graph) {
  const importers = new Map([...graph.keys()].map((path) => [path, 0]));
  for (const targets of graph.values()) for (const path of targets) importers.set(path, importers.get(path) + 1);
  const counts = [...importers.values()];
  return {
    importEdges: counts.reduce((sum, count) => sum + count, 0),
    filesWithOneImporter: counts.filter((count) => count === 1).length,
  };
}

/** Room -> how many files import each other in a row there, at most. A room is a folder of src/ or one below it. */
function longestChains(graph) {
  const rooms = new Set([...graph.keys()].flatMap(roomsOf));
  return Object.fromEntries([...rooms].sort().map((room) => [room, longestChain(graph, `${room}/`)]));
}

function roomsOf(path) {
  const folders = path.split('/').slice(0, -1);
  const first = folders[0] === 'src' ? 2 : 1;
  return [first, first + 1]
    .filter((depth) => depth <= folders.length)
    .map((depth) => folders.slice(0, depth).join('/'));
}

function longestChain(graph, prefix) {
  const known = new Map();
  const lengthFrom = (path) => {
    if (known.has(path)) return known.get(path);
    // In a circle, which dependency-cruiser forbids, the way ends.
    known.set(path, 0);
    const below = [...graph.get(path)].filter((target) => target.startsWith(prefix)).map(lengthFrom);
    known.set(path, 1 + Math.max(0, ...below));
    return known.get(path);
  };
  return Math.max(0, ...[...graph.keys()].filter((path) => path.startsWith(prefix)).map(lengthFrom));
}

/** Lines that stand, eight or more in a row, in another file as well. White space, blank lines and imports do not count. */
function duplicateLines(texts) {
  const places = new Map();
  const lines = new Map([...texts].map(([path, text]) => [path, normalised(text)]));
  for (const [path, own] of lines) {
    for (let at = 0; at + COPY_LINES <= own.length; at += 1) {
      const key = own.slice(at, at + COPY_LINES).join('\n');
      const found = places.get(key);
      if (found === undefined) places.set(key, [{ path, at }]);
      else found.push({ path, at });
    }
  }
  const copied = new Set();
  for (const found of places.values()) {
    if (new Set(found.map(({ path }) => path)).size < 2) continue;
    for (const { path, at } of found)
      for (let line = at; line < at + COPY_LINES; line += 1) copied.add(`${path}:${line}`);
  }
  return copied.size;
}

function normalised(text) {
  return text
    .replaceAll(/^import\b[^;]*;$/gm, '')
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    .filter((line) => line !== '');
}

/** Packages that are installed on a machine that only runs the programs; optional ones too. */
function productionPackages() {
  const path = join(root, 'package-lock.json');
  if (!existsSync(path)) return null;
  const { packages } = JSON.parse(readFileSync(path, 'utf8'));
  return Object.entries(packages).filter(([name, { dev }]) => name !== '' && dev !== true).length;
}

/** File below dist/ -> bytes, raw and packed. Empty before a build. */
function bundleSizes() {
  const dist = join(root, 'dist');
  if (!existsSync(dist)) return {};
  const names = readdirSync(dist, { recursive: true }).filter((name) =>
    /^[^/]+\.js$|^dashboard\/.*\.(js|css|html|svg)$/.test(name),
  );
  return Object.fromEntries(
    names.sort().map((name) => {
      const content = readFileSync(join(dist, name));
      return [name, { bytes: content.length, gzipBytes: gzipSync(content).length }];
    }),
  );
}

/** Two columns; what has parts is indented below its name. */
function table(value, indent = '') {
  return Object.entries(value)
    .map(([name, part]) => {
      const title = `${indent}${/[./]/.test(name) ? name : words(name)}`;
      if (typeof part !== 'object' || part === null) return `${title.padEnd(44)} ${part ?? '-'}\n`;
      if ('gzipBytes' in part) return `${title.padEnd(44)} ${part.bytes} (${part.gzipBytes} gzip)\n`;
      const rest = table(part, `${indent}  `);
      return rest === '' ? `${title.padEnd(44)} -\n` : `${title}\n${rest}`;
    })
    .join('');
}

/** `filesOver300Lines` -> `files over 300 lines` */
function words(name) {
  return name.replaceAll(/([a-z])([A-Z0-9])|(\d)([A-Z])/g, '$1$3 $2$4').toLowerCase();
}
