/** A child process that has the commands of techtemp-device but `run`, wired as the program wires them. */
import { runProgram } from '../../../src/cli/program.ts';
import { COMMANDS } from '../../../src/device/cli.ts';
import { DEFAULT_CONFIG_PATH } from '../../../src/device/commands/config.ts';
import { createSystemClock, systemRandom } from '../../../src/platform/clock.ts';

process.exitCode = await runProgram(
  {
    name: 'techtemp-device',
    description: '',
    configPath: DEFAULT_CONFIG_PATH,
    commands: COMMANDS,
    io: {
      stdout: process.stdout,
      stderr: process.stderr,
      env: process.env,
      clock: createSystemClock(),
      random: systemRandom,
      signal: new AbortController().signal,
      onHungTransfer: () => process.stderr.write('a transfer hangs\n', () => process.kill(process.pid, 'SIGKILL')),
    },
  },
  process.argv.slice(2),
);
