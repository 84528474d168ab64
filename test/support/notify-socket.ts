import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

const SOURCE = fileURLToPath(new URL('notify-socket.c', import.meta.url));
const BUILD_DIRECTORY = fileURLToPath(new URL('../../node_modules/.cache/techtemp', import.meta.url));
const PROGRAM = join(BUILD_DIRECTORY, 'notify-socket');
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** One datagram: `["RELOADING=1", "MONOTONIC_USEC=…"]`. */
export interface NotifyMessage {
  /** CLOCK_MONOTONIC when it arrived. */
  readonly atUsec: number;
  readonly pid: number;
  readonly lines: readonly string[];
}

/** The service manager's end of NOTIFY_SOCKET. */
export interface FakeSystemd extends AsyncDisposable {
  /** What a service finds in its environment. */
  readonly env: { readonly NOTIFY_SOCKET: string };
  readonly messages: readonly NotifyMessage[];
  /** All lines of all messages that were received, in order. */
  lines(): readonly string[];
  /** Resolves with the first message, from number `from` on, that fits; fails the test when none comes in time. */
  waitFor(fits: (message: NotifyMessage) => boolean, options?: WaitOptions): Promise<NotifyMessage>;
}

export interface WaitOptions {
  readonly from?: number;
  readonly limitMs?: number;
}

/** Compiles the program; part of the test run's global setup. Without a C compiler the tests that need it are skipped. */
export function buildNotifySocket(): void {
  if (existsSync(PROGRAM) && statSync(PROGRAM).mtimeMs > statSync(SOURCE).mtimeMs) return;
  mkdirSync(BUILD_DIRECTORY, { recursive: true });
  try {
    execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', PROGRAM, SOURCE], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Why the tests with a played systemd cannot run here; undefined when they can. */
export function whyNoFakeSystemd(): string | undefined {
  if (process.platform !== 'linux') return 'systemd exists on Linux only';
  if (!existsSync(PROGRAM)) return 'there is no C compiler (cc) to build test/support/notify-socket.c';
  // In a process of its own: a native package can be loaded in one thread of a process only, and may be built for another Node.js.
  if (spawnSync(process.execPath, ['-e', "require('sd-notify')"], { cwd: ROOT }).status === 0) return undefined;
  return 'the optional package sd-notify was not built for this Node.js (apt-get install libsystemd-dev, npm rebuild sd-notify)';
}

/** Listens as systemd would, on a socket in the file system or in the abstract name space. */
export async function playSystemd(kind: 'path' | 'abstract' = 'path'): Promise<FakeSystemd> {
  const directory = mkdtempSync(join(tmpdir(), 'techtemp-notify-'));
  const name = kind === 'path' ? join(directory, 'notify') : `@${directory.slice(1)}`;
  const child = spawn(PROGRAM, [name], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const messages: NotifyMessage[] = [];
  const output = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    output.once('line', () => resolve());
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`notify-socket ended with ${String(code)} instead of listening on ${name}`)),
    );
  });
  output.on('line', (line) => messages.push(JSON.parse(line) as NotifyMessage));

  return {
    env: { NOTIFY_SOCKET: name },
    messages,
    lines: () => messages.flatMap((message) => message.lines),
    async waitFor(fits, { from = 0, limitMs = 100_000 } = {}) {
      let found: NotifyMessage | undefined;
      const heard = (): string => JSON.stringify(messages.slice(-20));
      await until('a message to systemd', () => (found = messages.slice(from).find(fits)) !== undefined, limitMs).catch(
        (cause: unknown) =>
          Promise.reject(new Error(`systemd did not hear it; the last messages: ${heard()}`, { cause })),
      );
      return found as NotifyMessage;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
