import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Settings } from './settings.ts';

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly limitMs?: number;
  /** Text or file for standard input. */
  readonly input?: string | { readonly file: string };
  readonly env?: NodeJS.ProcessEnv;
}

const DEFAULT_LIMIT_MS = 120_000;

/** Commands on another machine over one shared connection. Scripts run as root: directly, or by sudo that asks for nothing. */
export class Ssh {
  readonly #settings: Settings;
  readonly #directory: string;
  readonly #options: readonly string[];

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#directory = mkdtempSync(join(tmpdir(), 'techtemp-system-'));
    const options = {
      BatchMode: 'yes',
      // A machine that is installed anew for the tests has another key each time.
      StrictHostKeyChecking: 'no',
      UserKnownHostsFile: '/dev/null',
      LogLevel: 'ERROR',
      ConnectTimeout: '5',
      ServerAliveInterval: '10',
      ControlMaster: 'auto',
      ControlPath: join(this.#directory, 'c'),
      ControlPersist: '600',
    };
    this.#options = [
      ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
      ...(settings.sshKey === undefined ? [] : ['-i', settings.sshKey]),
    ];
  }

  /** Runs a bash script there. */
  async run(script: string, options: RunOptions = {}): Promise<CommandResult> {
    return await finished(this.start(script), options);
  }

  /** Starts a bash script there; its end is the caller's affair. */
  start(script: string): ChildProcess {
    const { user, host, port } = this.#settings;
    const shell = `${user === 'root' ? '' : 'sudo -n '}bash -c ${shellWord(script)}`;
    return spawn('ssh', [...this.#options, '-p', String(port), `${user}@${host}`, shell], { stdio: 'pipe' });
  }

  async push(file: string, remotePath: string): Promise<void> {
    const copy = await this.run(`cat >${shellWord(remotePath)}`, { input: { file }, limitMs: 300_000 });
    if (copy.status !== 0) throw new Error(`${file} could not be copied to ${remotePath}: ${copy.stderr}`);
  }

  /** The other side is gone: what is left of the connection would only be waited for. */
  async forget(): Promise<void> {
    const { user, host, port } = this.#settings;
    const exit = spawn('ssh', [...this.#options, '-O', 'exit', '-p', String(port), `${user}@${host}`], {
      stdio: 'pipe',
    });
    await finished(exit, { limitMs: 10_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forget();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Runs a command of a shell here. */
export async function runHere(command: string, options: RunOptions = {}): Promise<CommandResult> {
  // A group of its own: what a hook leaves running (a virtual machine) must not be ended with it.
  const child = spawn('bash', ['-c', command], {
    stdio: 'pipe',
    detached: true,
    env: { ...process.env, ...options.env },
  });
  return await finished(child, options);
}

/** One word for a shell, whatever is in it. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function finished(
  child: ChildProcess,
  { limitMs = DEFAULT_LIMIT_MS, input }: RunOptions,
): Promise<CommandResult> {
  const stdout = textOf(child.stdout);
  const stderr = textOf(child.stderr);
  // A program that ends early reads no more: its exit code says so.
  child.stdin?.on('error', () => undefined);
  if (typeof input === 'object') createReadStream(input.file).pipe(child.stdin!);
  else child.stdin?.end(input ?? '');
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`no end after ${limitMs} ms: ${child.spawnargs.at(-1) ?? ''}\n${stdout()}${stderr()}`));
    }, limitMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    // Not "close": a hook may leave a process behind that keeps the pipes open.
    child.once('exit', (status) => {
      clearTimeout(timer);
      setTimeout(() => resolve({ status, stdout: stdout(), stderr: stderr() }), 20);
    });
  });
}

function textOf(stream: Readable | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}
