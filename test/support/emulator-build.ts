import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sourceFolder = fileURLToPath(new URL('emulator/', import.meta.url));
const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/techtemp-emulator', import.meta.url));
const flags = ['-O2', '-std=gnu11', '-Wall', '-Wextra', '-U_FORTIFY_SOURCE'];
const sensorSources = ['aht20.c', 'bus.c', 'commands.c', 'faults.c', 'state.c', 'values.c'];
const librarySources = ['preload.c', 'smbus.c', 'stat.c', ...sensorSources];
const controlSources = ['control.c', 'assign.c', ...sensorSources];

/** The products of `test/support/emulator/`, named after the content of their sources: a change makes new ones. */
export interface EmulatorFiles {
  /** The library to preload. */
  readonly library: string;
  /** The tool that commands a running emulator. */
  readonly control: string;
  /** A client that makes the system calls which i2c-bus does not make; for the emulator's own tests. */
  readonly probe: string;
}

/** Where the products are, whether they have been built or not. */
export function emulatorFiles(): EmulatorFiles {
  const content = createHash('sha256').update(flags.join(' ')).update(process.arch);
  for (const name of readdirSync(sourceFolder).filter((name) => /\.[ch]$/.test(name))) {
    content.update(name).update(readFileSync(join(sourceFolder, name)));
  }
  const folder = join(cacheFolder, content.digest('hex').slice(0, 16));
  return {
    library: join(folder, 'libemulator.so'),
    control: join(folder, 'emulator-control'),
    probe: join(folder, 'emulator-probe'),
  };
}

/** This machine cannot have the emulator: another system than Linux with glibc, or no C compiler. */
export class EmulatorUnavailable extends Error {
  override readonly name = 'EmulatorUnavailable';
}

/**
 * Compiles what is not yet there; two builds at once do no harm.
 * Throws EmulatorUnavailable where it cannot be had, and another error where its sources do not compile.
 */
export async function buildEmulator(): Promise<EmulatorFiles> {
  const files = emulatorFiles();
  const folder = dirname(files.library);
  if (existsSync(folder)) return files;
  if (!isLinuxWithGlibc()) throw new EmulatorUnavailable('the emulated I2C bus needs Linux with glibc');
  await mkdir(cacheFolder, { recursive: true });
  const workshop = await mkdtemp(join(cacheFolder, 'build-'));
  try {
    const library = ['-shared', '-fPIC', '-fvisibility=hidden', '-o', join(workshop, 'libemulator.so')];
    await compile([...library, ...librarySources, '-ldl', '-lm', '-lpthread']);
    await compile(['-o', join(workshop, 'emulator-control'), ...controlSources, '-lm', '-lpthread']);
    await compile(['-o', join(workshop, 'emulator-probe'), 'probe.c', '-lpthread']);
    await rename(workshop, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // else another build was faster, with the same content
    });
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  return files;
}

/** Why tests on the emulated bus cannot run here; undefined when they can. Sees what the global set-up has built. */
export function emulatorObstacle(): string | undefined {
  if (!existsSync(emulatorFiles().library)) {
    return 'the emulated I2C bus was not built (it needs Linux and a C compiler, e.g. apt install gcc libc6-dev)';
  }
  // Looked for, not loaded: it cannot be loaded in a worker thread after the main thread.
  const hasI2cBus = existsSync(
    fileURLToPath(new URL('../../node_modules/i2c-bus/build/Release/i2c.node', import.meta.url)),
  );
  return hasI2cBus ? undefined : 'the package i2c-bus is not built (it is native: npm install needs a C++ compiler)';
}

async function compile(args: readonly string[]): Promise<void> {
  const compiler = process.env['CC'] ?? 'cc';
  try {
    await run(compiler, [...flags, ...args], { cwd: sourceFolder });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // its message has the compiler's words
    throw new EmulatorUnavailable(`there is no C compiler (${compiler})`, { cause: error });
  }
}

function isLinuxWithGlibc(): boolean {
  if (process.platform !== 'linux') return false;
  const report = process.report.getReport() as { readonly header: { readonly glibcVersionRuntime?: string } };
  return report.header.glibcVersionRuntime !== undefined;
}
