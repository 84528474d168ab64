import { type Command, Option } from 'commander';
import { configOptions, type GivenOptions } from '../../cli/command-io.ts';
import { type CommandContext, wholeNumber } from '../../cli/program.ts';

/** The commands that look: `verify`, `export`, `gaps`, `rejected`; and `init`, which decides what they look at. */

const DEFAULT_LIMIT = 20;

/** `init`: what is the record, where the server must not decide. */
export function registerInit(program: Command, { io, finish, withConfigOptions }: CommandContext): void {
  withConfigOptions(program.command('init'))
    .description(
      'make the record, or say which one it is after a loss; deletes nothing; only while the server is stopped',
    )
    .option('--new-record', 'set aside what lies there, and begin a new record', false)
    .addOption(
      new Option('--accept', 'the database that lies there is the record from now on')
        .default(false)
        .conflicts('newRecord'),
    )
    .addOption(
      new Option('--from <file>', 'put this copy of a record there: a backup, or one that was saved').conflicts([
        'newRecord',
        'accept',
      ]),
    )
    .addHelpText('after', '\nExit code: 0 done, 1 not done, 78 the config cannot be used.')
    .action(
      async (
        given: GivenOptions & { readonly newRecord: boolean; readonly accept: boolean; readonly from?: string },
      ) => {
        const { runInit } = await import('./init.ts');
        const { newRecord, accept, from } = given;
        finish(await runInit({ ...configOptions(given), newRecord, accept, ...(from !== undefined && { from }) }, io));
      },
    );
}

/** `verify`: whether there is a hole, and where. */
export function registerVerify(program: Command, { io, finish, withConfigOptions }: CommandContext): void {
  withConfigOptions(program.command('verify'))
    .description('prove the record: numbers received, missing, explained, doubled, of each device and epoch')
    .option('-d, --device <uid>', 'only this device')
    .option('--strict', 'count what was numbered before this record began as a hole, too', false)
    .option('--json', 'print it as JSON', false)
    .addHelpText(
      'after',
      '\nExit code: 0 no unexplained hole among what can be judged (the last line says what cannot), 1 there is one, 2 the record could ' +
        'not be examined, 78 the config cannot be used.',
    )
    .action(
      async (given: GivenOptions & { readonly device?: string; readonly strict: boolean; readonly json: boolean }) => {
        const { runVerify } = await import('./verify.ts');
        const { device, strict, json } = given;
        finish(await runVerify({ ...configOptions(given), strict, json, ...(device !== undefined && { device }) }, io));
      },
    );
}

interface GivenExport extends GivenOptions {
  readonly format: 'csv' | 'jsonl';
  readonly device?: string;
  readonly room?: string;
  readonly from?: string;
  readonly to?: string;
  readonly output?: string;
}

/** `export`: readings as a file. */
export function registerExport(program: Command, { io, finish, withConfigOptions }: CommandContext): void {
  withConfigOptions(program.command('export'))
    .description('write readings as CSV or JSON Lines, oldest first')
    .addOption(new Option('-f, --format <format>', 'csv or jsonl').choices(['csv', 'jsonl']).default('csv'))
    .option('-d, --device <uid>', 'only this device')
    .addOption(new Option('-r, --room <uid>', 'only what was measured in this room').conflicts('device'))
    .option('--from <time>', 'from this day or time on (default: the beginning)')
    .option('--to <time>', 'up to this day or time, not included (default: now)')
    .option('-o, --output <file>', 'write to this file instead of standard output')
    .action(async (given: GivenExport) => {
      const { runExport } = await import('./export.ts');
      finish(await runExport({ ...given, ...configOptions(given) }, io));
    });
}

interface GivenList extends GivenOptions {
  readonly device?: string;
  readonly limit: number;
  readonly json: boolean;
}

interface GivenDismissal extends GivenOptions {
  readonly device: string;
  readonly epoch: string;
  readonly seq: number;
  readonly reason: string;
}

/** `gaps`: what devices say is missing; `gaps dismiss`: that one of them is wrong. */
export function registerGaps(program: Command, { io, finish, withConfigOptions }: CommandContext): void {
  const gaps = program.command('gaps');
  withConfigOptions(gaps.command('dismiss'))
    .description('say that a gap record is wrong, and why: it is kept with that reason, and explains nothing any more')
    .requiredOption('-d, --device <uid>', 'the device that sent it')
    .requiredOption('-e, --epoch <name>', 'the epoch in which the record stands (techtemp-server gaps shows it)')
    .requiredOption('-s, --seq <number>', "the record's own number there", wholeNumber)
    .requiredOption('--reason <text>', 'why it is wrong, for those who read it later')
    .action(async (_given: unknown, command: Command) => {
      const { runDismissGap } = await import('./gaps.ts');
      const given = command.optsWithGlobals<GivenDismissal>();
      finish(await runDismissGap({ ...given, ...configOptions(given) }, io));
    });
  withListOptions(withConfigOptions(gaps))
    .description('list what devices say is missing from the record, and why')
    .option('--from <time>', 'gaps after this day or time')
    .option('--to <time>', 'gaps before this day or time')
    .action(async (given: GivenList & { readonly from?: string; readonly to?: string }) => {
      const { runGaps } = await import('./gaps.ts');
      finish(await runGaps({ ...given, ...configOptions(given) }, io));
    });
}

/** `rejected`: what came and could not be stored. */
export function registerRejected(program: Command, { io, finish, withConfigOptions }: CommandContext): void {
  withListOptions(withConfigOptions(program.command('rejected')))
    .description('list messages that could not be stored as readings: topic, reason, how often, how they began')
    .option('--reason <code>', 'only those rejected for this reason')
    .action(async (given: GivenList & { readonly reason?: string }) => {
      const { runRejected } = await import('./rejected.ts');
      finish(await runRejected({ ...given, ...configOptions(given) }, io));
    });
}

function withListOptions(command: Command): Command {
  return command
    .option('-d, --device <uid>', 'only of this device')
    .option('-n, --limit <number>', 'how many, newest first', wholeNumber, DEFAULT_LIMIT)
    .option('--json', 'print it as JSON', false);
}

interface GivenChoice extends GivenOptions {
  readonly device?: string;
  readonly id?: number;
  readonly all: boolean;
  readonly json: boolean;
}

const SHOWN_AT_MOST = 20;

/** `quarantine`: what waits because the judgement on it may be wrong tomorrow. */
export function registerQuarantine(program: Command, { io, finish, withConfigOptions }: CommandContext): void {
  const quarantine = program
    .command('quarantine')
    .description('list, release and drop readings that wait because of their time, or because they are not understood');
  withConfigOptions(quarantine.command('list', { isDefault: true }))
    .description('list what waits, with why and since when')
    .option('-d, --device <uid>', 'only of this device')
    .option('-n, --limit <number>', 'how many, oldest first', wholeNumber, SHOWN_AT_MOST)
    .option('--dropped', 'what was dropped, with the reasons that were given', false)
    .option('--json', 'print it as JSON', false)
    .action(
      async (
        given: GivenOptions & {
          readonly device?: string;
          readonly limit: number;
          readonly dropped: boolean;
          readonly json: boolean;
        },
      ) => {
        const { runQuarantineList } = await import('./quarantine.ts');
        finish(await runQuarantineList({ ...given, ...configOptions(given) }, io));
      },
    );
  withChoice(withConfigOptions(quarantine.command('release')))
    .description('store what waits as it stands: for those who know that its time is right')
    .action(async (given: GivenChoice) => {
      const { runQuarantineRelease } = await import('./quarantine.ts');
      finish(await runQuarantineRelease({ ...given, ...configOptions(given) }, io));
    });
  withChoice(withConfigOptions(quarantine.command('drop')))
    .description('take what waits out of the record for good; numbers, times, counts and the reason are kept')
    .requiredOption('-r, --reason <text>', 'why; it is kept')
    .action(async (given: GivenChoice & { readonly reason: string }) => {
      const { runQuarantineDrop } = await import('./quarantine.ts');
      finish(await runQuarantineDrop({ ...given, ...configOptions(given) }, io));
    });
}

function withChoice(command: Command): Command {
  return command
    .option('-d, --device <uid>', 'everything of this device')
    .option('--id <number>', 'one item, by the number that "quarantine list" shows', wholeNumber)
    .option('--all', 'everything', false)
    .option('--json', 'print it as JSON', false);
}
