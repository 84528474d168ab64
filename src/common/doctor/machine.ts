import { type ExecFileException, execFile } from 'node:child_process';

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

/** What became of a program that was asked. Only `missing` means that it is not there: a program that is silent has said nothing. */
export type ProgramAnswer =
  | { readonly state: 'ended'; readonly exitCode: number; readonly output: string; readonly errors: string }
  | { readonly state: 'missing' }
  /** `problem` for people: `systemctl gave no answer within 10 s`. */
  | { readonly state: 'silent'; readonly problem: string };

/** Runs a program for at most a few seconds. Never rejects. */
type RunProgram = (program: string, args: readonly string[]) => Promise<ProgramAnswer>;

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

async function runProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<ProgramAnswer> {
  // Programs translate their words: what is parsed here is asked for in the untranslated form.
  const options = { env: { ...env, LC_ALL: 'C' }, timeout: PROGRAM_LIMIT_MS, encoding: 'utf8' } as const;
  return await new Promise((resolve) => {
    execFile(program, [...args], options, (error, output, errors) => {
      if (error === null) resolve({ state: 'ended', exitCode: 0, output, errors });
      else if (typeof error.code === 'number') resolve({ state: 'ended', exitCode: error.code, output, errors });
      else if (error.code === 'ENOENT') resolve({ state: 'missing' });
      else resolve({ state: 'silent', problem: problemOf(program, error) });
    });
  });
}

function problemOf(program: string, { killed, code, signal }: ExecFileException): string {
  if (killed === true) return `${program} gave no answer within ${PROGRAM_LIMIT_MS / 1000} s`;
  return `${program} could not be run (${code ?? signal ?? 'no reason is known'})`;
}
