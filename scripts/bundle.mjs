// Makes the bundle that a Raspberry Pi installs without compiling anything: `npm run bundle`. The same commit gives the same
// bytes, whenever and wherever it is made with the same compilers.
//
//   npm run bundle -- [--arch arm64,armhf,amd64] [--abi 115,127,137] [--out FOLDER] [--role device|server|all] [--unpacked FOLDER]
//
// Without options: for this machine's processor and Node.js, into bundle/. The installer, which builds from a copy of the sources,
// says --unpacked FOLDER for the folder alone, and --id and --commit, which a copy can't know.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ARCHITECTURES, addVariants, NODE_BY_ABI } from './bundle-native.mjs';
import { command, copyPackage, filesBelow, packageFolders, presentPackage } from './bundle-packages.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: command('dpkg', ['--print-architecture']).trim() },
    abi: { type: 'string', default: process.versions.modules },
    out: { type: 'string', default: join(root, 'bundle') },
    role: { type: 'string', default: 'all' },
    unpacked: { type: 'string' },
    id: { type: 'string' },
    commit: { type: 'string' },
  },
});
/** What is taken as it is. The pictures in docs/ are a tenth of everything, and nobody looks at them on a Pi. */
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
const architectures = listed('--arch', values.arch, Object.keys(ARCHITECTURES));
const abis = listed('--abi', values.abi, Object.keys(NODE_BY_ABI));
const [role] = listed('--role', values.role, ['device', 'server', 'all']);

/** Inside node_modules, so that compilers find the packages they build upon, and a rename stays on one file system. */
const work = join(root, `node_modules/.techtemp-bundle-${process.pid}`);
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
const draft = join(work, 'draft');
const modules = join(draft, 'node_modules');
mkdirSync(modules, { recursive: true });

const { version, engines, optionalDependencies } = readJson('package.json');
const lock = readJson('package-lock.json').packages;
const commit = readCommit();

copyProject();
command(process.execPath, [join(root, 'scripts/build.mjs'), join(work, 'dist')], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
cpSync(join(work, 'dist'), join(draft, 'dist'), {
  recursive: true,
  // The maps are half of everything, and no program reads them; techtemp-start is for trying it out in a clone.
  filter: (path) => !/(\.js\.map|\/techtemp-start\..*)$/.test(path),
});
const folders = packageFolders(lock, [...Object.keys(optionalDependencies), '@fastify/swagger-ui']);
const present = new Map(folders.map((folder) => [folder, presentPackage(root, lock, folder, work)]));
for (const [folder, source] of present) copyPackage(source, join(draft, folder), folder);
const source = (name) => present.get(`node_modules/${name}`);
const native = addVariants({ root, modules, source, work, architectures, abis, role, say });
const name = writeRelease(native);

if (values.unpacked === undefined) pack(name);
else renameSync(draft, resolve(values.unpacked));

/** What is in git below these names; in a folder without git, everything below them. */
function copyProject() {
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

/** Without git the time of the bundle is that of its newest file. */
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
function writeRelease(nativeLines) {
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
  const id = values.id ?? (commit.id === '' ? content : `${commit.id.slice(0, 7)}.${content}`);
  const release = `${[`name=techtemp-${version}-${id}`, `id=${id}`, ...facts].join('\n')}\n`;
  writeFileSync(join(draft, 'RELEASE'), release);
  const all = [...sums, `${sha256(release)}  RELEASE`].sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1));
  writeFileSync(join(draft, 'SHA256SUMS'), `${all.join('\n')}\n`);
  return `techtemp-${version}-${id}`;
}

function pack(folder) {
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
  writeFileSync(`${file}.sha256`, `${sha256(readFileSync(file))}  ${folder}.tar.gz\n`);
  say(`${relative(process.cwd(), file)}: ${(statSync(file).size / 1e6).toFixed(1)} MB`);
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
