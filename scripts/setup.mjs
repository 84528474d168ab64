// Does what is missing before `npm start` and `npm test`: installs packages, compiles native ones again that cannot be loaded, builds
// dist/. It looks at what is there each time, so a run that was cut off is repaired by the next one. Plain JavaScript without
// dependencies, because it runs before anything is installed.
//
//   node scripts/setup.mjs start   what running needs
//   node scripts/setup.mjs test    what the tests need as well; says first what `npm test` does
//   node scripts/setup.mjs test:all (:rest, :node24)  the same for the other scripts that test
//   node scripts/setup.mjs bundle  the packages alone; the bundle has a build of its own
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compilerRemedy, missingCompilers, unusableNative } from './setup-native.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const purpose = process.argv[2]?.startsWith('test') ? 'test' : 'start';
/** Between two signs of life of a long step. */
const SIGN_OF_LIFE_MS = 10_000;
/** How long a PC of today takes to parse the lock file so many times, and to install; both take longer on a Raspberry Pi alike. */
const PC_PARSE_MS = 40;
const PARSE_TIMES = 20;
const PC_INSTALL_SECONDS = 90;
/** Gone with node_modules, so `npm ci` tries again. */
const attemptFile = 'node_modules/.techtemp-compiled';
/** npm writes it last: without it an installation was cut off. */
const installedLock = 'node_modules/.package-lock.json';

requireNode('20.19.0');
if (process.argv[2] === 'test') {
  say('npm test takes up to 4 minutes on two cores. It does not need root.');
  say('It leaves out what takes longer or needs root, systemd or Chromium; `npm run test:all` runs everything.');
}
await install();
await repairNative();
if (process.argv[2] !== 'bundle') build();

function requireNode(wanted) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = wanted.split('.').map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  fail(
    `TechTemp needs Node.js ${wanted} or newer; this is ${process.version}. See https://nodejs.org or \`apt install nodejs\`.`,
  );
}

async function install() {
  if (isInstalled()) return;
  const seconds = pcSeconds(PC_INSTALL_SECONDS);
  say(
    'Installing packages, and compiling what has no ready-made part for this machine (once; needs the npm registry): ' +
      `up to ${inWords(seconds)} on this machine`,
  );
  // Failing to build i2c-bus or sd-notify is no error here: both are optional, and the programs say what is missing and why.
  await npm(['ci', ...(purpose === 'start' ? ['--omit=dev'] : []), '--no-audit', '--no-fund', '--loglevel=error'], {
    seconds,
  });
}

/** Whether each package that the lock file asks for is there in its version, nested ones included. Optional ones may be absent. */
function isInstalled() {
  if (!existsSync(join(root, installedLock))) return false;
  const there = readJson(installedLock).packages;
  const wanted = Object.entries(readJson('package-lock.json').packages).filter(([path]) => path !== '');
  return wanted.every(([path, { version, optional, devOptional, peer, dev }]) => {
    if (optional || devOptional || peer || (dev && purpose === 'start')) return true;
    return there[path]?.version === version && existsSync(join(root, path, 'package.json'));
  });
}

async function repairNative() {
  const broken = unusableNative(root);
  if (broken.length === 0) return;
  const missing = missingCompilers();
  const attempt = JSON.stringify({ abi: process.versions.modules, broken: broken.map(({ packages }) => packages[0]) });
  // What could not be compiled will not compile a minute later: tried once for each Node.js.
  const isTried = existsSync(join(root, attemptFile)) && readFileSync(join(root, attemptFile), 'utf8') === attempt;
  if (missing.length === 0 && !isTried) {
    const seconds = pcSeconds(PC_INSTALL_SECONDS);
    const names = broken.flatMap(({ packages }) => packages);
    say(
      `Compiling again for Node.js ${process.versions.node}, because they cannot be loaded: ${names.join(', ')}; up to ${inWords(seconds)}`,
    );
    const omit = purpose === 'start' ? ['--omit=dev'] : [];
    // Brings what npm left out because it did not fit the Node.js of then, or could not be compiled.
    await npm(['install', '--no-save', '--ignore-scripts', ...omit, '--no-audit', '--no-fund', '--loglevel=error'], {
      seconds,
      mayFail: true,
    });
    for (const name of names) {
      if (existsSync(join(root, 'node_modules', name)))
        await npm(['rebuild', name, '--loglevel=error'], { seconds, mayFail: true });
    }
  }
  const left = missing.length === 0 && !isTried ? unusableNative(root) : broken;
  if (missing.length === 0 && left.length > 0) writeFileSync(join(root, attemptFile), attempt);
  for (const { packages, purpose: use, without, reason } of left) {
    say(`note: ${packages[0]} (${use}) cannot be used: ${reason}. ${without}`);
  }
  if (missing.length === 0) {
    if (left.length > 0) say('note: `npm ci` tries again to compile what is named above');
    return;
  }
  const remedy = compilerRemedy();
  say(
    `note: to compile it, this machine needs ${missing.join(', ')}${remedy === undefined ? '' : `: \`${remedy}\``}; then run the same command again`,
  );
}

function build() {
  const sources = ['drivers', 'src', 'scripts', 'package.json'].map(newest);
  const built = ['device', 'server', 'start', 'store-worker'].map((name) => {
    const file = `dist/techtemp-${name}.js`;
    return existsSync(join(root, file)) ? newest(file) : 0;
  });
  if (Math.min(...built) > Math.max(...sources)) return;
  const result = spawnSync(process.execPath, [join(root, 'scripts/build.mjs')], { stdio: 'inherit' });
  if (result.status !== 0) fail('The build failed; the lines above say why.');
}

/** Time of the newest file at or below a path. */
function newest(path) {
  const full = join(root, path);
  const stat = statSync(full);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(full).map((name) => newest(join(path, name))));
}

/** npm itself is silent until it is done, where its output is not a terminal. */
async function npm(args, { seconds, mayFail = false }) {
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  const begun = Date.now();
  const signs = setInterval(() => {
    const soFar = Math.round((Date.now() - begun) / 1000);
    say(
      `... ${isCompiling(begun) ? 'compiling SQLite' : 'installing packages'}: ${soFar} s so far, up to ${inWords(seconds)} expected`,
    );
  }, SIGN_OF_LIFE_MS);
  const problem = await new Promise((resolve) => {
    const child = spawn('npm', args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : `exit ${code ?? signal}`));
  });
  clearInterval(signs);
  if (problem === undefined || mayFail) return;
  fail(
    `\`npm ${args.join(' ')}\` failed (${problem}). Is the npm registry reachable? Run the same command again: it goes on from here.`,
  );
}

/** node-gyp makes its Makefile first, and compiles after that. */
function isCompiling(sinceMs) {
  const file = join(root, 'node_modules/better-sqlite3/build/Makefile');
  return existsSync(file) && statSync(file).mtimeMs >= sinceMs;
}

/** How many seconds something takes here that takes so many on a PC. */
function pcSeconds(onPc) {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const begun = Date.now();
  for (let time = 0; time < PARSE_TIMES; time += 1) JSON.parse(text);
  return (onPc * Math.max(Date.now() - begun, PC_PARSE_MS)) / PC_PARSE_MS;
}

function inWords(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds / 10) * 10} s` : `${Math.ceil(seconds / 60)} minutes`;
}

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
