/** A child process that has the commands of techtemp-device but `run`, wired as the program wires them. */
import { Command } from 'commander';
import {
  type CommandContext,
  registerCheck,
  registerConfig,
  registerJournal,
  registerRead,
} from '../../../src/device/cli.ts';
import { createSystemClock, systemRandom } from '../../../src/platform/clock.ts';

const context: CommandContext = {
  io: {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: createSystemClock(),
    random: systemRandom,
    signal: new AbortController().signal,
    onHungTransfer: () => process.stderr.write('a transfer hangs\n', () => process.kill(process.pid, 'SIGKILL')),
  },
  finish: (exitCode) => {
    process.exitCode = exitCode;
  },
};
const program = new Command('techtemp-device');
registerCheck(program, context);
registerRead(program, context);
registerJournal(program, context);
registerConfig(program, context);
await program.parseAsync();
