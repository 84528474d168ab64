import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandResult, shellWord } from './ssh.ts';
import { DEVICE, DEVICE_CONF, SERVER, type Target } from './target.ts';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const FOLDER_THERE = '/root/techtemp-system';
/** Written by this suite beside its installation: what carries it may be erased. */
export const OURS = '/var/lib/techtemp-system-test';
/** The packages and their marks as they were before the first installation, where this suite has seen that; see packagesThere. */
export const PACKAGES_BEFORE = '/root/techtemp-system-packages';
/** The installer waits for apt, for a service and for the first reading. */
export const INSTALL_LIMIT_MS = 900_000;

/** Device, server and broker on one machine: only then can every link of the chain be cut and examined. */
export const OPTIONS = [
  ...['--yes', '--role', 'all', '--with-broker', '--home', 'test-home'],
  ...['--room', 'Test room', '--interval', '300'],
];

/** As a person upgrades: the machine keeps its role and its settings. */
export const UPGRADE = ['--yes'];

/** A bundle here. */
export interface Bundle {
  readonly file: string;
  /** Of its folder. */
  readonly name: string;
  /** As it is called once it is installed. */
  readonly release: string;
}

/** The bundle of this state of the project. */
export function makeBundle(target: Target): Bundle {
  const given = target.settings.bundle;
  if (given !== undefined) return bundleOf(given);
  const out = mkdtempSync(join(tmpdir(), 'techtemp-bundle-'));
  const arch = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
  execFileSync('npm', ['run', '--silent', 'bundle', '--', '--arch', arch, '--out', out], {
    cwd: PROJECT,
    stdio: 'pipe',
  });
  const file = readdirSync(out).find((name) => name.endsWith('.tar.gz'));
  if (file === undefined) throw new Error('npm run bundle made no bundle');
  return bundleOf(join(out, file));
}

/** The same bundle as another release, with something changed in its folder. */
export function variantOf(bundle: Bundle, word: string, change: (folder: string) => void): Bundle {
  const work = mkdtempSync(join(tmpdir(), 'techtemp-variant-'));
  execFileSync('tar', ['-xzf', bundle.file, '-C', work]);
  const name = `${bundle.name}${word}`;
  const folder = join(work, name);
  execFileSync('mv', [join(work, bundle.name), folder]);
  change(folder);
  edit(join(folder, 'RELEASE'), (text) =>
    text.replace(/^name=.*$/m, `name=${name}`).replace(/^id=.*$/m, (line) => line + word),
  );
  const sums = filesBelow(folder).filter((file) => file !== 'SHA256SUMS');
  const line = (file: string): string =>
    `${createHash('sha256')
      .update(readFileSync(join(folder, file)))
      .digest('hex')}  ${file}\n`;
  writeFileSync(join(folder, 'SHA256SUMS'), sums.map(line).join(''));
  const file = join(work, `${name}.tar.gz`);
  execFileSync('tar', ['-czf', file, '--owner=0', '--group=0', '-C', work, name]);
  rmSync(folder, { recursive: true });
  return bundleOf(file);
}

export function edit(file: string, change: (text: string) => string): void {
  const before = readFileSync(file, 'utf8');
  const after = change(before);
  if (after === before) throw new Error(`nothing to change in ${file}`);
  writeFileSync(file, after);
}

/** Brings the bundle to the machine, unpacked; returns its folder there. */
export async function unpackThere(target: Target, bundle: Bundle): Promise<string> {
  const folder = `${FOLDER_THERE}/${bundle.name}`;
  if ((await target.try(`test -e ${folder}/SHA256SUMS`)).status === 0) return folder;
  await target.sh(`mkdir -p ${FOLDER_THERE}`);
  await target.ssh.push(bundle.file, `${FOLDER_THERE}/${basename(bundle.file)}`);
  await target.sh(`cd ${FOLDER_THERE} && tar -xzf ${basename(bundle.file)} && sync`, { limitMs: 300_000 });
  return folder;
}

/** Every package that is installed, and which of them are marked as a need of others. */
export async function packagesThere(target: Target): Promise<string> {
  const installed = `dpkg-query -W -f '\${db:Status-Abbrev} \${Package}:\${Architecture}\n' | grep '^ii' | sort`;
  return await target.sh(`${installed}; apt-mark showauto | sort | sed 's/$/ auto/'`);
}

/** Runs the installer of a bundle on the machine, without a terminal. */
export async function bootstrap(target: Target, bundle: Bundle, options: readonly string[]): Promise<CommandResult> {
  const folder = await unpackThere(target, bundle);
  const words = options.map(shellWord).join(' ');
  return await target.try(`cd / && ${folder}/bootstrap-pi.sh ${words} </dev/null 2>&1`, { limitMs: INSTALL_LIMIT_MS });
}

/**
 * An installation by this suite, whichever scenario made it, with the release under test running; what somebody else installed is
 * left alone.
 */
export async function ensureInstalled(target: Target): Promise<Bundle> {
  const bundle = makeBundle(target);
  if (!(await isOurs(target))) await refuseForeign(target);
  const isRunning = (await target.isActive(DEVICE)) && (await target.isActive(SERVER));
  if (!isRunning || (await releaseThere(target, 'current')) !== bundle.release) {
    await target.sh(`touch ${OURS}`);
    const { status, stdout } = await bootstrap(target, bundle, isRunning ? UPGRADE : OPTIONS);
    if (status !== 0) throw new Error(`the installation failed\n${stdout}`);
  }
  await target.sensor('fault clear');
  await target.sensor('noise 0.4 1.5');
  return bundle;
}

/** The release that runs there, or the one before it. */
export async function releaseThere(target: Target, which: 'current' | 'previous'): Promise<string> {
  return await target.sh(`basename "$(readlink /opt/techtemp/${which})"`);
}

/** @throws where an installation is found that this suite did not make and may not erase. */
export async function refuseForeign(target: Target): Promise<void> {
  if (target.settings.mayErase || (await isOurs(target))) return;
  const found = await target.sh('ls -d /opt/techtemp /etc/techtemp /var/lib/techtemp* 2>/dev/null || :');
  if (found !== '') {
    throw new Error(
      `there is an installation already, which TECHTEMP_SYSTEM_ERASE=yes would allow to erase:\n${found}`,
    );
  }
}

/** Waits until the agent measures at this pace, set as a person would do it. */
export async function setInterval(target: Target, seconds: number): Promise<void> {
  await target.sh(`sed -i -E 's/^#?read_interval_seconds *=.*/read_interval_seconds = ${seconds}/' ${DEVICE_CONF}`);
  await target.sh(`systemctl reload ${DEVICE}`);
}

async function isOurs(target: Target): Promise<boolean> {
  return (await target.try(`test -e ${OURS}`)).status === 0;
}

function bundleOf(file: string): Bundle {
  const name = basename(file).replace(/\.tar\.gz$/, '');
  return { file, name, release: name.replace(/^techtemp-/, '') };
}

function filesBelow(folder: string, below = ''): readonly string[] {
  return readdirSync(join(folder, below)).flatMap((name) => {
    const path = join(below, name);
    return statSync(join(folder, path)).isDirectory() ? filesBelow(folder, path) : [path];
  });
}
