import { type Command, InvalidArgumentError } from 'commander';
import { configOptions, type GivenOptions } from '../../common/config-options.ts';
import type { CommandContext } from './command-context.ts';
import { withConfigOptions } from './command-context.ts';

interface GivenChoice extends GivenOptions {
  readonly device?: string;
  readonly id?: number;
  readonly all: boolean;
  readonly json: boolean;
}

const SHOWN_AT_MOST = 20;

/** `quarantine`: what waits because the judgement on it may be wrong tomorrow. */
export function registerQuarantine(program: Command, { io, finish }: CommandContext): void {
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

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^\d{1,15}$/.test(text) || number < 1) throw new InvalidArgumentError('expected a whole number from 1.');
  return number;
}
