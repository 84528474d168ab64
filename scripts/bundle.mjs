// Makes what a release page carries: `npm run bundle` writes an archive for each processor, which a Raspberry Pi with Debian 12 or 13
// installs without compiling anything, and SHA256SUMS. The same commit gives the same bytes, whenever and wherever it is made with
// the same compilers.
//
//   npm run bundle -- [--arch arm64,armhf,amd64] [--abi 115,127,137] [--out FOLDER] [--role device|server|all] [--here] [--incomplete]
//
// --here is for this machine alone, its processor and its Node.js. --incomplete also writes an archive of which native parts could not
// be compiled here: the machine that installs it compiles them. The installer, which builds from a copy of the sources, says
// --unpacked FOLDER for a folder in place of archives, --cache FOLDER for what it compiled before, and --id and --commit, which a
// copy can't know.
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ARCHITECTURES, addVariants, NODE_BY_ABI } from './bundle-native.mjs';
import { command, copyPackage, filesBelow, packageFolders, presentPackage } from './bundle-packages.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    arch: { type: 'string' },
    abi: { type: 'string' },
    here: { type: 'boolean', default: false },
    incomplete: { type: 'boolean', default: false },
    cache: { type: 'string', default: join(root, 'node_modules/.cache') },
    out: { type: 'string', default: join(root, 'bundle') },
    role: { type: 'string', default: 'all' },
    unpacked: { type: 'string' },
    id: { type: 'string' },
    commit: { type: 'string' },
  },
});
/** What is taken as it is. The pictures in docs/ are a tenth of everything, and a Pi does not need them. */
const PROJECT_FILES = [
  'bootstrap-pi.sh',
  'scripts/install',
  // For a Pi that no variant fits.
  'scripts/compile-native.mjs',
  'scripts/bundle-native.mjs',
  'scripts/bundle-packages.mjs',
  'config',
  'systemd',
  'docs',
  // To which docs/troubleshooting.md leads.
  'src/device/doctor/FINDINGS.md',
  'src/server/doctor/FINDINGS.md',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'package.json',
];
/** For this machine alone, or for any that has the processor and one of the versions of Node.js. */
const isForHere = values.here || values.unpacked !== undefined;
const here = () => command('dpkg', ['--print-architecture']).trim();
const architectures = isForHere
  ? [here()]
  : listed('--arch', values.arch ?? Object.keys(ARCHITECTURES).join(','), Object.keys(ARCHITECTURES));
const abis = isForHere
  ? [process.versions.modules]
  : listed('--abi', values.abi ?? Object.keys(NODE_BY_ABI).join(','), Object.keys(NODE_BY_ABI));
const [role] = listed('--role', values.role, ['device', 'server', 'all']);

/** Inside node_modules, so that compilers find the packages they need, and a rename stays on one file system. */
const work = join(root, `node_modules/.techtemp-bundle-${process.pid}`);
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
mkdirSync(work, { recursive: true });

const { version, engines, optionalDependencies } = readJson('package.json');
const lock = readJson('package-lock.json').packages;
const commit = readCommit();

say('building the programs and the dashboard');
command(process.execPath, [join(root, 'scripts/build.mjs'), join(work, 'dist')], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
const folders = packageFolders(lock, [...Object.keys(optionalDependencies), '@fastify/swagger-ui']);
const present = new Map(folders.map((folder) => [folder, presentPackage(root, lock, folder, work)]));
for (const arch of architectures) makeBundle(arch, join(work, `draft-${arch}`));

/** Everything for one processor: a folder below `work` first, then an archive of it, or the folder that was asked for. */
function makeBundle(arch, draft) {
  const modules = join(draft, 'node_modules');
  mkdirSync(modules, { recursive: true });
  copyProject(draft);
  cpSync(join(work, 'dist'), join(draft, 'dist'), {
    recursive: true,
    // The maps are half of everything, and no program reads them; techtemp-start is for trying it out in a clone.
    filter: (path) => !/(\.js\.map|\/techtemp-start\..*)$/.test(path),
  });
  for (const [folder, source] of present) copyPackage(source, join(draft, folder), folder);
  say(`native parts for ${arch}`);
  const { lines, failures } = addVariants({
    cache: values.cache,
    modules,
    source: (name) => present.get(`node_modules/${name}`),
    work,
    architectures: [arch],
    abis,
    role,
    isPortable: !isForHere,
    say,
  });
  if (failures > 0 && !values.incomplete) {
    process.exitCode = 1;
    process.stderr.write(
      `no bundle for ${arch}: ${failures} native parts could not be compiled; the lines above say why\n`,
    );
    return;
  }
  const name = writeRelease(draft, arch, lines);
  if (values.unpacked === undefined) pack(draft, name);
  else renameSync(draft, resolve(values.unpacked));
}

/** What is in git below these names; in a folder without git, everything below them. */
function copyProject(draft) {
  const paths =
    commit.id === ''
      ? PROJECT_FILES
      : command('git', ['ls-files', '-z', '--', ...PROJECT_FILES], { cwd: root }).split('\0');
  for (const path of paths) {
    if (path === '' || !existsSync(join(root, path))) continue;
    cpSync(join(root, path), join(draft, path), { recursive: true, filter: (file) => !file.endsWith('.png') });
  }
}

function readCommit() {
  if (!existsSync(join(root, '.git'))) return { id: '', time: newestTime(), changed: false };
  const git = (...args) => command('git', args, { cwd: root }).trim();
  const [id, time] = git('log', '-1', '--format=%H %ct').split(' ');
  const changes = git(
    'status',
    '--porcelain',
    '--',
    ...PROJECT_FILES,
    'drivers',
    'src',
    'scripts',
    'package-lock.json',
  );
  return { id, time: Number(time), changed: changes !== '' };
}

/** Without git the time of the bundle is the time of its newest file. */
function newestTime() {
  return Math.max(
    ...['package.json', 'package-lock.json', 'CHANGELOG.md'].map((file) =>
      Math.floor(statSync(join(root, file)).mtimeMs / 1000),
    ),
  );
}

/** From where a Pi without a fitting variant gets SQLite's sources, which are too large to go along. */
function sqliteSource() {
  const { version: number, integrity } = lock['node_modules/better-sqlite3'];
  return role === 'device' ? [] : [`source=better-sqlite3 ${number} ${integrity}`];
}

/**
 * RELEASE says what this is; SHA256SUMS covers every other file. The id is made of the commit and of everything inside, so that two
 * bundles with one name are the same.
 */
function writeRelease(draft, arch, nativeLines) {
  const facts = [
    `version=${version}`,
    `commit=${values.commit || commit.id || 'unknown'}${commit.changed ? ' with changes' : ''}`,
    `date=${new Date(time() * 1000).toISOString()}`,
    `node=${engines.node}`,
    `role=${role}`,
    ...nativeLines,
    ...sqliteSource(),
    'not-for=armv6 (Raspberry Pi Zero, Zero W, 1): Debian compiles armhf for ARMv7; compiled on the Pi instead',
  ];
  const sums = filesBelow(draft).map((file) => `${sha256(readFileSync(join(draft, file)))}  ${file}`);
  const content = sha256([...facts, ...sums].join('\n')).slice(0, 8);
  const id = values.id ?? `${commit.id === '' ? content : `${commit.id.slice(0, 7)}.${content}`}-${arch}`;
  const release = `${[`name=techtemp-${version}-${id}`, `id=${id}`, ...facts].join('\n')}\n`;
  writeFileSync(join(draft, 'RELEASE'), release);
  const all = [...sums, `${sha256(release)}  RELEASE`].sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1));
  writeFileSync(join(draft, 'SHA256SUMS'), `${all.join('\n')}\n`);
  return `techtemp-${version}-${id}`;
}

function pack(draft, folder) {
  renameSync(draft, join(work, folder));
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  const file = join(out, `${folder}.tar.gz`);
  const plain = join(work, 'bundle.tar');
  const args = ['--sort=name', '--format=gnu', '--owner=0', '--group=0', '--numeric-owner', '--mode=u+rwX,go+rX,go-w'];
  command('tar', [...args, `--mtime=@${time()}`, '-cf', plain, '-C', work, folder], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  command('gzip', ['-9', '-n', plain]);
  command('mv', [`${plain}.gz`, `${file}.partial`]);
  renameSync(`${file}.partial`, file);
  rmSync(join(work, folder), { recursive: true });
  writeSums(out);
  say(`${relative(process.cwd(), file)}: ${(statSync(file).size / 1e6).toFixed(1)} MB`);
}

/** Of every archive in the folder, for `sha256sum --check`; whole or not at all. */
function writeSums(out) {
  const archives = readdirSync(out).filter((file) => /^techtemp-.*\.tar\.gz$/.test(file));
  const lines = archives.sort().map((file) => `${sha256(readFileSync(join(out, file)))}  ${file}\n`);
  writeFileSync(join(work, 'SHA256SUMS'), lines.join(''));
  command('mv', [join(work, 'SHA256SUMS'), join(out, 'SHA256SUMS.partial')]);
  renameSync(join(out, 'SHA256SUMS.partial'), join(out, 'SHA256SUMS'));
}

/** SOURCE_DATE_EPOCH overrides the time of the commit (https://reproducible-builds.org/specs/source-date-epoch/). */
function time() {
  return Number(process.env['SOURCE_DATE_EPOCH'] ?? commit.time);
}

function listed(option, text, allowed) {
  const words = [...new Set(text.split(',').map((word) => word.trim()))];
  const wrong = words.filter((word) => !allowed.includes(word));
  if (wrong.length > 0) {
    process.stderr.write(`${option} ${text}: ${wrong.join(', ')} is not one of ${allowed.join(', ')}\n`);
    process.exit(2);
  }
  return words;
}

function sha256(data) {
  return createHash('sha256').update(data).digest('hex');
}

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}

function say(text) {
  process.stdout.write(`${text}\n`);
}
