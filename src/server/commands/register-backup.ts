import { Option } from 'commander';
import { configOptions, type GivenOptions } from '../../cli/command-io.ts';
import type { RegisterCommand } from '../../cli/program.ts';

/** `backup`, `backups` and `restore`: copies of the record, and the way back. */
export const registerBackup: RegisterCommand = (program, { io, finish, withConfigOptions }) => {
  withConfigOptions(program.command('backup'))
    .description('copy the record while the server runs, prove the copy, and remove backups that are too old')
    .option('--to <folder>', 'into this folder instead of the one of [backup] folder')
    .option('--new-folder', 'begin in a folder that held backups before and is empty now', false)
    .addHelpText(
      'after',
      '\nExit code: 0 done, 1 not done (or the command of [backup] after failed), 78 the config cannot be used.',
    )
    .action(async (given: GivenOptions & { readonly to?: string; readonly newFolder: boolean }) => {
      const { runBackup } = await import('./backup.ts');
      const { to, newFolder } = given;
      finish(await runBackup({ ...configOptions(given), newFolder, ...(to !== undefined && { to }) }, io));
    });
};

export const registerBackups: RegisterCommand = (program, { io, finish, withConfigOptions }) => {
  withConfigOptions(program.command('backups [verify]'))
    .description('list the backups; "backups verify" reads each one and compares it with its manifest')
    .option('--to <folder>', 'of this folder instead of the one of [backup] folder')
    .option('--json', 'print it as JSON', false)
    .addHelpText(
      'after',
      '\nExit code: 0 all are usable, 1 one is not (with verify also: there is none), 78 the config cannot be used.',
    )
    .action(
      async (verify: string | undefined, given: GivenOptions & { readonly to?: string; readonly json: boolean }) => {
        if (verify !== undefined && verify !== 'verify')
          program.error(`error: unknown word '${verify}'; did you mean verify?`);
        const { runBackups } = await import('./backup.ts');
        const { to, json } = given;
        const options = { ...configOptions(given), json, verify: verify === 'verify', ...(to !== undefined && { to }) };
        finish(await runBackups(options, io));
      },
    );
};

export const registerRestore: RegisterCommand = (program, { io, finish, withConfigOptions }) => {
  withConfigOptions(program.command('restore [file]'))
    .description('put a backup in the place of the record, while the server is stopped; sets aside what lies there')
    .addOption(new Option('--test', 'only prove that it can be restored; the record stays as it is').default(false))
    .addHelpText('after', '\nExit code: 0 done, 1 not done, 78 the config cannot be used.')
    .action(async (file: string | undefined, given: GivenOptions & { readonly test: boolean }) => {
      if (file === undefined && !given.test)
        program.error("error: missing argument 'file' (techtemp-server backups lists them)");
      const { runRestore } = await import('./backup.ts');
      finish(await runRestore({ ...configOptions(given), test: given.test, ...(file !== undefined && { file }) }, io));
    });
};
