// Does what is missing before `npm start` and `npm test`: installs packages, rebuilds native ones after a change of Node.js,
// builds dist/. Plain JavaScript without dependencies, because it runs before anything is installed.
//
//   node scripts/setup.mjs start   what running needs
//   node scripts/setup.mjs test    what the tests need as well
//   node scripts/setup.mjs bundle  the packages alone; the bundle has a build of its own
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const purpose = process.argv[2] === 'test' ? 'test' : 'start';
const manifest = readJson('package.json');
/** Remembers for which ABI the native packages were built; Node.js 20 is 115, 22 is 127, 24 is 137. */
const abiFile = 'node_modules/.techtemp-abi';

requireNode('20.19.0');
install();
rebuildNative();
if (process.argv[2] !== 'bundle') build();

function requireNode(wanted) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = wanted.split('.').map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  fail(
    `TechTemp needs Node.js ${wanted} or newer; this is ${process.version}. See https://nodejs.org or \`apt install nodejs\`.`,
  );
}

function install() {
  const wanted = { ...manifest.dependencies, ...(purpose === 'test' && manifest.devDependencies) };
  const missing = Object.entries(wanted).filter(([name, version]) => installedVersion(name) !== version);
  if (missing.length === 0) return;
  say(`Installing ${missing.length} packages (once; needs the npm registry)`);
  // Failing to build i2c-bus or sd-notify is no error here: both are optional, and the programs say what is missing and why.
  npm(['ci', ...(purpose === 'start' ? ['--omit=dev'] : []), '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(join(root, abiFile), process.versions.modules);
}

function rebuildNative() {
  const builtFor = existsSync(join(root, abiFile))
    ? readFileSync(join(root, abiFile), 'utf8')
    : process.versions.modules;
  if (builtFor !== process.versions.modules) {
    say(`Node.js has changed: building the native packages anew`);
    // What fits this Node.js and did not fit the other one, such as better-sqlite3-napi.
    const omit = existsSync(join(root, 'node_modules/vitest')) ? [] : ['--omit=dev'];
    npm(['install', '--no-save', '--ignore-scripts', ...omit, '--no-audit', '--no-fund', '--loglevel=error'], {
      mayFail: true,
    });
    for (const name of Object.keys(manifest.optionalDependencies)) {
      if (existsSync(join(root, 'node_modules', name))) npm(['rebuild', name, '--loglevel=error'], { mayFail: true });
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

function npm(args, { mayFail = false } = {}) {
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  const result = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.status === 0 || mayFail) return;
  fail(
    `\`npm ${args.join(' ')}\` failed (${result.error?.message ?? `exit ${result.status}`}). Is the npm registry reachable?`,
  );
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
