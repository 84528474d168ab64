import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';

export interface CommandRun {
  /** Null: it was ended by a signal. */
  readonly exitCode: number | null;
  /** The last line that it wrote; empty: none. */
  readonly lastLine: string;
}

/** Runs `techtemp-server` with these arguments; ends it when the signal is aborted. */
export type RunCommand = (commandArguments: readonly string[], signal: AbortSignal) => Promise<CommandRun>;

/** Below all that measures, stores and answers. */
const LOWEST_PRIORITY = 19;

/**
 * Backups run in a process of their own: a copy of a large record takes minutes in one call of SQLite, and its memory is given back at
 * the end.
 */
export function createCommandRun(options: {
  /** The built program. */
  readonly program: string;
  readonly configPath: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
  readonly onLine: (text: string) => void;
}): RunCommand {
  const { program, configPath, flags, env, onLine } = options;
  const settings = Object.entries(flags).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return async (commandArguments, signal) =>
    await new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [program, ...commandArguments, '--config', configPath, ...settings], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        signal,
        killSignal: 'SIGKILL',
      });
      let lastLine = '';
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (text) => {
          lastLine = text;
          onLine(text);
        });
      }
      child.once('spawn', () => lowerPriority(child.pid));
      child.once('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error));
      child.once('close', (exitCode) => resolve({ exitCode, lastLine }));
    });
}

/** Not allowed everywhere; the backup is made all the same. */
function lowerPriority(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, LOWEST_PRIORITY);
  } catch {
    // systemd's unit forbids it; the service's weight keeps the agent ahead.
  }
}
