import type { CommandIo as PlainIo } from '../../cli/command-io.ts';

export { EXIT_CONFIG, EXIT_FAILED, EXIT_OK, type ExitCode } from '../../cli/command-io.ts';

/** What a command of the agent has of the outside world. */
export interface CommandIo extends PlainIo {
  /** Told that a transfer hangs in the kernel: the process waits for its thread, and cannot end in the ordinary way. */
  readonly onHungTransfer: () => void;
}
