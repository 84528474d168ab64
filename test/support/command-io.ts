import type { CommandIo } from '../../src/device/commands/command-io.ts';
import { createSystemClock } from '../../src/platform/clock.ts';

/** The outside world of a command, with what it said. */
export interface RecordedIo {
  readonly io: CommandIo;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export function recordedIo(changes: Partial<CommandIo> = {}): RecordedIo {
  const said = { stdout: '', stderr: '' };
  const output = (name: keyof typeof said): CommandIo['stdout'] => ({
    write: (text) => void (said[name] += text),
  });
  const io: CommandIo = {
    stdout: output('stdout'),
    stderr: output('stderr'),
    env: {},
    clock: createSystemClock(),
    random: Math.random,
    signal: new AbortController().signal,
    onHungTransfer: () => undefined,
    ...changes,
  };
  return { io, stdout: () => said.stdout, stderr: () => said.stderr };
}
