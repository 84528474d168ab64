import type { Clock, Random } from '../../common/clock.ts';

/** What a command has of the outside world. main.ts passes the process's own; tests pass theirs. */
export interface CommandIo {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

export interface TextOutput {
  write(text: string): unknown;
}

/** Said to whoever registers a command: it ended, with this exit code. */
export type Finish = (exitCode: ExitCode) => void;

/**
 * 0: done, nothing wrong. 1: it could not be done, or the doctor found a failure. 78 (EX_CONFIG of sysexits.h): the config
 * cannot be used.
 */
export type ExitCode = 0 | 1 | 78;
