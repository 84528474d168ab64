import type { Clock, Random } from './clock.ts';

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

interface TextOutput {
  write(text: string): unknown;
}

export type ExitCode = 0 | 1 | 2 | 78;

/** Done, and nothing is wrong. */
export const EXIT_OK = 0;
/** It could not be done, or something that was examined is not right. */
export const EXIT_FAILED = 1;
/** `verify` could not look: neither yes nor no. */
export const EXIT_UNDECIDED = 2;
/** A command line that can't be understood: EX_USAGE of sysexits.h. */
export const EXIT_USAGE = 64;
/** The config cannot be used: EX_CONFIG of sysexits.h, as `run` ends with it. */
export const EXIT_CONFIG = 78;
/**
 * The record is one that the program must not touch (damaged, of a newer version, no database at all): EX_DATAERR of sysexits.h.
 * The server's unit does not start it again after this, since only a person can help.
 */
export const EXIT_STORE = 65;
