import { createInterface } from 'node:readline';
import { type Command, Option } from 'commander';
import { configOptions, type GivenOptions } from '../../cli/command-io.ts';
import type { CommandContext } from '../../cli/program.ts';

/** The commands that say who may do what: `token` and `devices`. */

interface GivenToken extends GivenOptions {
  readonly scope: 'read' | 'write';
  readonly expires?: string;
  readonly json: boolean;
}

/** `token`: who may use the HTTP API. */
export function registerToken(program: Command, { io, finish, withConfigOptions }: CommandContext): void {
  const token = program.command('token').description('make, list and revoke tokens for the HTTP API');
  withConfigOptions(token.command('create'))
    .description('make a token; its secret is printed once and kept nowhere')
    .argument('<name>', 'who or what holds it')
    .addOption(
      new Option('-s, --scope <scope>', 'what it allows; write includes reading')
        .choices(['read', 'write'])
        .default('read'),
    )
    .option('-e, --expires <length>', 'after this it is refused, such as 90d (default: never)')
    .option('--json', 'print it as JSON', false)
    .action(async (name: string, given: GivenToken) => {
      const { runTokenCreate } = await import('./token.ts');
      const { scope, json, expires } = given;
      const options = { ...configOptions(given), name, scope, json, ...(expires !== undefined && { expires }) };
      finish(await runTokenCreate(options, io));
    });
  withConfigOptions(token.command('list', { isDefault: true }))
    .description('list the tokens, also those no longer in force; secrets are not known')
    .option('--json', 'print it as JSON', false)
    .action(async (given: GivenOptions & { readonly json: boolean }) => {
      const { runTokenList } = await import('./token.ts');
      finish(await runTokenList({ ...configOptions(given), json: given.json }, io));
    });
  withConfigOptions(token.command('revoke'))
    .description('end a token; a running server refuses it at once')
    .argument('<id>', 'as the list shows it')
    .action(async (id: string, given: GivenOptions) => {
      const { runTokenRevoke } = await import('./token.ts');
      finish(await runTokenRevoke({ ...configOptions(given), id }, io));
    });
}

/** `devices`: the list, and what people decide about them. */
export function registerDevices(program: Command, context: CommandContext): void {
  const { io, finish, withConfigOptions } = context;
  const devices = program
    .command('devices')
    .description('list the devices; add, approve, refuse, move, rename, remove');
  withConfigOptions(devices.command('list', { isDefault: true }))
    .description('each device with its room, state, presence and buffer')
    .option('-a, --all', 'also those that were removed', false)
    .option('--json', 'print it as JSON', false)
    .action(async (given: GivenOptions & { readonly all: boolean; readonly json: boolean }) => {
      const { runDevices } = await import('./devices.ts');
      finish(await runDevices({ ...configOptions(given), all: given.all, json: given.json }, io));
    });
  registerAdmission(devices, context);
  withConfigOptions(devices.command('move'))
    .description('say in which room a device stands')
    .argument('<uid>')
    .argument('[room]', 'uid or name of a room, a new one is made; absent: nowhere')
    .option('--at <time>', 'since when; what it measured since then belongs there (default: now)')
    .action(async (uid: string, room: string | undefined, given: GivenOptions & { readonly at?: string }) => {
      const { runDeviceMove } = await import('./devices.ts');
      const { at } = given;
      const options = { ...(room !== undefined && { room }), ...(at !== undefined && { at }) };
      finish(await runDeviceMove({ ...configOptions(given), uid, ...options }, io));
    });
  withConfigOptions(devices.command('rename'))
    .description('give a device another label')
    .argument('<uid>')
    .argument('[label]', 'absent: what the device calls itself')
    .action(async (uid: string, label: string | undefined, given: GivenOptions) => {
      const { runDeviceRename } = await import('./devices.ts');
      finish(await runDeviceRename({ ...configOptions(given), uid, ...(label !== undefined && { label }) }, io));
    });
  withConfigOptions(devices.command('remove'))
    .description('take a device out of service; its readings stay in the record')
    .argument('<uid>')
    .option('--delete-readings', 'delete everything that it ever measured, too', false)
    .option('-y, --yes', 'do not ask', false)
    .action(async (uid: string, given: GivenOptions & { readonly deleteReadings: boolean; readonly yes: boolean }) => {
      const { runDeviceRemove } = await import('./devices.ts');
      const { deleteReadings, yes } = given;
      const confirm = (question: string): Promise<boolean> => (yes ? Promise.resolve(true) : ask(question, io.signal));
      finish(await runDeviceRemove({ ...configOptions(given), uid, deleteReadings, confirm }, io));
    });
}

interface GivenDevice extends GivenOptions {
  readonly room?: string;
  readonly label?: string;
  readonly model?: string;
}

function registerAdmission(devices: Command, { io, finish, withConfigOptions }: CommandContext): void {
  withConfigOptions(devices.command('add'))
    .description('make a device known before it speaks')
    .argument('<uid>')
    .option('-r, --room <room>', 'uid or name of a room; a new one is made')
    .option('-l, --label <text>', 'what people call it')
    .option('-m, --model <text>', 'what kind of sensor it is')
    .action(async (uid: string, given: GivenDevice) => {
      const { runDeviceAdd } = await import('./devices.ts');
      finish(await runDeviceAdd({ ...given, ...configOptions(given), uid }, io));
    });
  withConfigOptions(devices.command('approve'))
    .description('say yes to a device that waits, or was refused')
    .argument('<uid>')
    .option('-r, --room <room>', 'uid or name of a room; a new one is made')
    .action(async (uid: string, given: GivenDevice) => {
      const { runDeviceApprove } = await import('./devices.ts');
      const { room } = given;
      finish(await runDeviceApprove({ ...configOptions(given), uid, ...(room !== undefined && { room }) }, io));
    });
  withConfigOptions(devices.command('refuse'))
    .description('say no to a device: what it sends from now on is rejected')
    .argument('<uid>')
    .action(async (uid: string, given: GivenOptions) => {
      const { runDeviceRefuse } = await import('./devices.ts');
      finish(await runDeviceRefuse({ ...configOptions(given), uid }, io));
    });
}

/** Only a person at a terminal can say yes. */
async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await new Promise<string>((resolve) =>
      terminal.question(`${question} Type yes: `, { signal }, resolve),
    );
    signal.throwIfAborted();
    return answer.trim().toLowerCase() === 'yes';
  } finally {
    terminal.close();
  }
}
