import { execFile } from 'node:child_process';

/** What the doctor asks of the machine besides buses and brokers. Tests give it another root and other programs. */
export interface Machine {
  /** `/`, or a folder that holds a tree of `proc`, `sys`, `run` to be looked at in its place. */
  readonly root: string;
  /** As `process.versions.node`. */
  readonly nodeVersion: string;
  /** Effective user id; 0 is root. */
  readonly uid: number;
  readonly runProgram: RunProgram;
}

interface ProgramResult {
  readonly exitCode: number;
  readonly output: string;
}

/** Runs a program for at most a few seconds; undefined where it does not exist or did not end. Never rejects. */
type RunProgram = (program: string, args: readonly string[]) => Promise<ProgramResult | undefined>;

const PROGRAM_LIMIT_MS = 10_000;

/** This machine. `path` is the search path for programs. */
export function createMachine(env: NodeJS.ProcessEnv): Machine {
  return {
    root: '/',
    nodeVersion: process.versions.node,
    uid: process.geteuid?.() ?? 0,
    runProgram: (program, args) => runProgram(program, args, env),
  };
}

async function runProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<ProgramResult | undefined> {
  // Programs translate their words: what is parsed here is asked for in the untranslated form.
  const options = { env: { ...env, LC_ALL: 'C' }, timeout: PROGRAM_LIMIT_MS, encoding: 'utf8' } as const;
  return await new Promise((resolve) => {
    execFile(program, [...args], options, (error, stdout) => {
      if (error === null) resolve({ exitCode: 0, output: stdout });
      else if (typeof error.code === 'number') resolve({ exitCode: error.code, output: stdout });
      else resolve(undefined);
    });
  });
}
