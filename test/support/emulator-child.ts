import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { bundleForChild } from './bundle.ts';
import { combinedEnv, type Emulator } from './emulator.ts';

const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

/** What a child process left behind. */
export interface ChildResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the project's root, so that packages are found. */
  readonly cwd?: string;
  /** Killed (SIGKILL) after this; default 30 s. */
  readonly limitMs?: number;
}

/** A child with all three standard streams as pipes. */
export type PipedChild = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts a program in Node under one or several emulated buses: a `.ts` entry is bundled, anything else is run as it is.
 * The caller ends it.
 */
export async function startUnderEmulator(
  emulators: Emulator | readonly Emulator[],
  entryPath: string,
  options: ChildOptions = {},
): Promise<PipedChild> {
  const program = entryPath.endsWith('.ts') ? await bundleForChild(entryPath) : entryPath;
  return startNode(emulators, [program, ...(options.args ?? [])], options);
}

/** Runs a program under emulated buses to its end. */
export async function runUnderEmulator(
  emulators: Emulator | readonly Emulator[],
  entryPath: string,
  options: ChildOptions = {},
): Promise<ChildResult> {
  return finished(await startUnderEmulator(emulators, entryPath, options), options);
}

/** Runs a piece of JavaScript (an ES module that may import the project's packages) under emulated buses to its end. */
export function runSnippet(
  emulators: Emulator | readonly Emulator[],
  code: string,
  options: ChildOptions = {},
): Promise<ChildResult> {
  const args = ['--input-type=module', '-e', code, ...(options.args ?? [])];
  return finished(startNode(emulators, args, options), options);
}

function startNode(
  emulators: Emulator | readonly Emulator[],
  args: readonly string[],
  options: ChildOptions,
): PipedChild {
  const env = 'env' in emulators ? emulators.env : combinedEnv(emulators);
  return spawn(process.execPath, args, {
    cwd: options.cwd ?? projectRoot,
    env: { ...process.env, ...env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

async function finished(child: PipedChild, options: ChildOptions): Promise<ChildResult> {
  const limit = setTimeout(() => child.kill('SIGKILL'), options.limitMs ?? 100_000);
  child.stdin.end();
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  const [stdout, stderr, end] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  clearTimeout(limit);
  return { ...end, stdout, stderr };
}
