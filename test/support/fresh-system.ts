import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Where the project is inside the machine; what is written there does not reach the real one. */
export const PROJECT = '/project';

export interface FreshSystemOptions {
  /** Folders and files of the host that the machine shares, at the same place: for memory that both sides map. */
  readonly shared?: readonly string[];
  /** With the host's network, for tests that fetch something. Without it there is the machine alone. */
  readonly online?: boolean;
  /** The files of another system to install on, in place of this machine's; see debian13(). */
  readonly base?: string;
  /**
   * A machine whose files this one begins with, so that what many tests need is done once. Nothing of ours may run there any more, and
   * nothing may change there while this machine lives. `changedFiles()` tells what has changed since.
   */
  readonly from?: FreshSystem;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** On a terminal of its own, to which `input` is typed; stdout then has what the terminal showed. */
  readonly onTerminal?: boolean;
}

export interface RunResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A machine of the test's own to install on: an overlay of this machine's files, with its own processes and network. Real apt, dpkg
 * and file systems; systemctl and the like are those of the folder beside this file. Nothing of it outlives the test.
 */
export interface FreshSystem {
  /** Its process 1, and where its files lie as that process sees them. */
  readonly keeper: { readonly pid: string; readonly folder: string };
  run(command: string, args: readonly string[], options?: RunOptions): RunResult;
  /** A script for bash; throws when it fails. Answers what it printed. */
  sh(script: string): string;
  /** Lets a script for bash run on, until the machine is removed; answers when a file has come up with `sign` in it. */
  background(script: string, file: string, sign?: string): void;
  /** Lets a script for bash run on that shall listen on a TCP port; answers when it does. */
  listener(port: number, script: string): void;
  /** `bootstrap-pi.sh` of the project, as root; without a terminal unless asked for. */
  install(args: readonly string[], options?: RunOptions): RunResult;
  /** Replaces a file, and makes the folders above it. */
  write(path: string, content: string, mode?: number): void;
  /** The content of a file; undefined where there is none. */
  read(path: string): string | undefined;
  /** What has been asked of systemd and its like, in order. */
  calls(): readonly string[];
  /** Every file that differs from the machine as it came, with mode, owner, size, time and target; folders without their time. */
  changedFiles(): readonly string[];
  /** Ends everything that runs there; also happens when the test's process ends. */
  remove(): void;
}

const FOLDER = fileURLToPath(new URL('fresh-system', import.meta.url));
const PROJECT_FOLDER = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Why there can be no such machine here; undefined where there can. For the message of a skipped test. */
export const freshSystemMissing: string | undefined = obstacle();

export async function freshSystem(options: FreshSystemOptions = {}): Promise<FreshSystem> {
  const folder = mkdtempSync(join(tmpdir(), 'techtemp-fresh-'));
  const spaces = [
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--uts',
    ...(options.online === true ? [] : ['--net']),
  ];
  const { from } = options;
  // From inside the other machine's mounts, where its files are to be seen.
  const within = from === undefined ? [] : ['nsenter', '--target', from.keeper.pid, '--mount'];
  const enter = [join(FOLDER, 'enter'), options.base ?? '/', from?.keeper.folder ?? '', folder, PROJECT_FOLDER];
  const [program = '', ...words] = [
    ...within,
    ...['unshare', ...spaces, '--fork', '--kill-child'],
    ...[...enter, ...(options.shared ?? [])],
  ];
  const keeper = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  keeper.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const ready = await new Promise<boolean>((resolve) => {
    createInterface(keeper.stdout).once('line', (line) => resolve(line === 'ready'));
    keeper.once('exit', () => resolve(false));
  });
  if (!ready) {
    rmdirSync(folder);
    throw new Error(`the fresh system did not come up: ${complaint}`);
  }
  // unshare has one child, which is process 1 in there.
  const first = readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, 'utf8').trim();
  const inside = ['--target', first, '--mount', '--pid', '--net', '--uts'];

  const run = (command: string, args: readonly string[], runOptions: RunOptions = {}): RunResult => {
    // SHLVL: bash reads /etc/bash.bashrc when its input looks like a network connection and no other shell is around it.
    const env = Object.entries({ PATH, HOME: '/root', TERM: 'dumb', SHLVL: '2', ...runOptions.env }).map(
      ([k, v]) => `${k}=${v}`,
    );
    const plain = [command, ...args];
    const line = plain.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
    const wanted = runOptions.onTerminal === true ? ['script', '-qefc', line, '/dev/null'] : plain;
    const { status, stdout, stderr, error } = spawnSync(
      'nsenter',
      [...inside, '--root', 'env', '-i', '-C', '/', ...env, ...wanted],
      {
        encoding: 'utf8',
        input: runOptions.input ?? '',
        timeout: runOptions.timeoutMs ?? 400_000,
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    if (error !== undefined) throw error;
    return { status, stdout, stderr };
  };
  const sh = (script: string): string => {
    const { status, stdout, stderr } = run('bash', ['-euo', 'pipefail', '-c', script]);
    if (status !== 0) throw new Error(`${script}\nended with ${status}: ${stdout}${stderr}`);
    return stdout;
  };

  const background = (script: string, file: string, sign = ''): void => {
    sh(`rm -f '${file}'
      { ${script}\n} </dev/null >/dev/null 2>&1 &
      for _ in {1..1200}; do ! grep -qs -- '${sign}' '${file}' || exit 0; sleep 0.05; done; exit 1`);
  };

  return {
    keeper: { pid: first, folder },
    run,
    sh,
    background,
    listener: (port, script) => {
      sh(`{ ${script}\n} </dev/null >/dev/null 2>&1 &
        for _ in {1..1200}; do ! (: <>/dev/tcp/127.0.0.1/${port}) 2>/dev/null || exit 0; sleep 0.05; done; exit 1`);
    },
    install: (args, runOptions) => run(`${PROJECT}/bootstrap-pi.sh`, args, runOptions),
    write: (path, content, mode = 0o644) => {
      const script = `mkdir -p "$(dirname "$1")" && cat >"$1" && chmod ${mode.toString(8)} "$1"`;
      const { status, stderr } = run('bash', ['-c', script, 'write', path], { input: content });
      if (status !== 0) throw new Error(`${path}: ${stderr}`);
    },
    read: (path) => {
      const { status, stdout } = run('cat', [path]);
      return status === 0 ? stdout : undefined;
    },
    calls: () => sh('cat /run/fake-systemd/calls 2>/dev/null || :').split('\n').filter(Boolean),
    changedFiles: () => {
      // From outside the new root, where the overlay's own layer is to be seen.
      const script =
        'cd "$1/upper" && find . \\( -type d -printf "%p %m %u:%g\\n" \\) -o -printf "%p %y %m %u:%g %s %T@ %l\\n"';
      const { stdout } = spawnSync('nsenter', [...inside, 'bash', '-c', script, 'list', folder], { encoding: 'utf8' });
      return stdout.split('\n').filter(Boolean).sort();
    },
    remove: () => {
      keeper.kill('SIGKILL');
      rmdirSync(folder);
    },
  };
}

/** Why there can be no Debian 13 here; undefined where there can. */
export const debian13Missing: string | undefined =
  freshSystemMissing ??
  (spawnSync('mmdebstrap', ['--version']).status === 0
    ? undefined
    : 'mmdebstrap, which makes Debian 13, is not installed');

/** The files of a Debian 13 with its own Node.js and Mosquitto; fetched when they are not there yet. @returns their folder */
export function debian13(): string {
  const folder = '/var/cache/techtemp-test/debian-13';
  const { status, stderr } = spawnSync(join(FOLDER, 'debian-13'), [folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`no Debian 13 could be made: ${stderr}`);
  return folder;
}

function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make a machine of its own';
  const { status, stderr } = spawnSync('unshare', ['--mount', '--pid', '--net', '--fork', 'true'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `unshare: ${stderr.trim()}`;
}
