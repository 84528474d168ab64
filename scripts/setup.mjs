// Does what is missing before `npm start` and `npm test`: installs packages, rebuilds native ones after a change of Node.js,
// builds dist/. Plain JavaScript without dependencies, because it runs before anything is installed.
//
//   node scripts/setup.mjs start   what running needs
//   node scripts/setup.mjs test    what the tests need as well
//   node scripts/setup.mjs bundle  the packages alone; the bundle has a build of its own
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const purpose = process.argv[2] === 'test' ? 'test' : 'start';
const manifest = readJson('package.json');
/** Between two signs of life of a long step. */
const SIGN_OF_LIFE_MS = 30_000;
/** How long a PC of today takes to parse the lock file so many times, and to install; both take longer on a Raspberry Pi alike. */
const PC_PARSE_MS = 40;
const PARSE_TIMES = 20;
const PC_INSTALL_SECONDS = 90;
/** Remembers for which ABI the native packages were built; Node.js 20 is 115, 22 is 127, 24 is 137. */
const abiFile = 'node_modules/.techtemp-abi';

requireNode('20.19.0');
await install();
await rebuildNative();
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
  const wanted = { ...manifest.dependencies, ...(purpose === 'test' && manifest.devDependencies) };
  const missing = Object.entries(wanted).filter(([name, version]) => installedVersion(name) !== version);
  if (missing.length === 0) return;
  say(
    `Installing ${missing.length} packages and what they need, and compiling what has no ready-made part for this machine ` +
      `(once; needs the npm registry): up to ${about(PC_INSTALL_SECONDS)} on this machine`,
  );
  // Failing to build i2c-bus or sd-notify is no error here: both are optional, and the programs say what is missing and why.
  await npm(['ci', ...(purpose === 'start' ? ['--omit=dev'] : []), '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(join(root, abiFile), process.versions.modules);
}

async function rebuildNative() {
  const builtFor = existsSync(join(root, abiFile))
    ? readFileSync(join(root, abiFile), 'utf8')
    : process.versions.modules;
  if (builtFor !== process.versions.modules) {
    say(`Node.js has changed: building the native packages anew, up to ${about(PC_INSTALL_SECONDS)} on this machine`);
    // What fits this Node.js and did not fit the other one, such as better-sqlite3-napi.
    const omit = existsSync(join(root, 'node_modules/vitest')) ? [] : ['--omit=dev'];
    await npm(['install', '--no-save', '--ignore-scripts', ...omit, '--no-audit', '--no-fund', '--loglevel=error'], {
      mayFail: true,
    });
    for (const name of Object.keys(manifest.optionalDependencies)) {
      if (existsSync(join(root, 'node_modules', name)))
        await npm(['rebuild', name, '--loglevel=error'], { mayFail: true });
    }
  }
  writeFileSync(join(root, abiFile), process.versions.modules);
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

function installedVersion(name) {
  const file = `node_modules/${name}/package.json`;
  return existsSync(join(root, file)) ? readJson(file).version : undefined;
}

/** npm itself is silent until it is done, where its output is not a terminal. */
async function npm(args, { mayFail = false } = {}) {
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  const begun = Date.now();
  const signs = setInterval(() => {
    say(`... npm ${args[0]} is at work, ${Math.round((Date.now() - begun) / 1000)} s so far`);
  }, SIGN_OF_LIFE_MS);
  const problem = await new Promise((resolve) => {
    const child = spawn('npm', args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : `exit ${code ?? signal}`));
  });
  clearInterval(signs);
  if (problem === undefined || mayFail) return;
  fail(`\`npm ${args.join(' ')}\` failed (${problem}). Is the npm registry reachable?`);
}

/** In words, how long something takes here that takes so many seconds on a PC. */
function about(pcSeconds) {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const begun = Date.now();
  for (let time = 0; time < PARSE_TIMES; time += 1) JSON.parse(text);
  const seconds = (pcSeconds * Math.max(Date.now() - begun, PC_PARSE_MS)) / PC_PARSE_MS;
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
