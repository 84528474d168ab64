// Looks whether the packages with native parts can be used here, by loading each of them in a process of its own: a file that was cut
// off while it was written can end the process that loads it.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What each one is for, and what works without it. better-sqlite3 has two builds, for older and newer Node.js: one is enough. */
const NATIVE = [
  {
    packages: ['better-sqlite3', 'better-sqlite3-napi'],
    load: (name) => `const Database = require('${name}'); new Database(':memory:').close();`,
    purpose: 'SQLite, in which the server stores readings',
    without: 'Without it the server cannot start. The agent works.',
  },
  {
    packages: ['i2c-bus'],
    platform: 'linux',
    load: (name) => `require('${name}');`,
    purpose: 'the I2C bus',
    without: 'Without it no real sensor can be read. A simulated sensor works.',
  },
  {
    packages: ['sd-notify'],
    platform: 'linux',
    load: (name) => `require('${name}');`,
    purpose: 'messages to systemd',
    without: 'Without it the programs run, but systemd does not see their status.',
  },
];

/**
 * @param {string} root folder of the project
 * @returns {{ packages: string[], purpose: string, without: string, reason: string }[]} those that cannot be loaded, and why
 */
export function unusableNative(root, platform = process.platform) {
  const problems = [];
  for (const { packages, load, purpose, without, platform: only } of NATIVE) {
    if (only !== undefined && only !== platform) continue;
    const reasons = packages.map((name) => loadProblem(root, name, load(name)));
    if (reasons.some((reason) => reason === undefined)) continue;
    problems.push({
      packages,
      purpose,
      without,
      reason: reasons.find((reason) => reason !== 'not installed') ?? reasons[0],
    });
  }
  return problems;
}

function loadProblem(root, name, code) {
  if (!existsSync(join(root, 'node_modules', name))) return 'not installed';
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8' });
  if (status === 0) return undefined;
  if (signal !== null) return `loading it ends with ${signal}`;
  return /^(?:\w*Error): (.*)$/m.exec(stderr)?.[1] ?? `loading it ends with status ${status}`;
}

/** The tools that compile native parts, as far as they are not there. */
export function missingCompilers(path = process.env.PATH ?? '') {
  const folders = path.split(':');
  const has = (program) => folders.some((folder) => existsSync(join(folder, program)));
  const wanted = { make: ['make'], 'a C++ compiler': ['g++', 'c++', 'clang++'], Python: ['python3', 'python'] };
  return Object.entries(wanted).flatMap(([what, programs]) => (programs.some(has) ? [] : [what]));
}

/** The command that installs these tools on this system; undefined on one that we do not know. */
export function compilerRemedy(platform = process.platform, osRelease = readOsRelease()) {
  if (platform === 'darwin') return 'xcode-select --install';
  const ids = [...osRelease.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap(([, words]) => words.split(' '));
  if (ids.includes('debian') || ids.includes('ubuntu')) return 'sudo apt-get install g++ make python3';
  if (ids.includes('fedora') || ids.includes('rhel')) return 'sudo dnf install gcc-c++ make python3';
  if (ids.includes('alpine')) return 'sudo apk add g++ make python3';
  if (ids.includes('arch')) return 'sudo pacman -S gcc make python';
  return undefined;
}

function readOsRelease() {
  return existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
}
