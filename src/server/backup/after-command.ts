import { spawn } from 'node:child_process';

/** A command that copies to another machine may take long; one that hangs must not hold up backups for ever. */
const LIMIT_MS = 3 * 3_600_000;
const SHOWN_CHARACTERS = 400;

/**
 * Runs the owner's command with the finished backup: `{file}` and `{manifest}` stand for the two paths, each quoted for the shell.
 * Killed when the signal is aborted or it takes longer than three hours. @returns why it failed; undefined: it ended with 0
 */
export async function runAfterCommand(
  command: string,
  files: { readonly file: string; readonly manifest: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  const line = command.replaceAll('{file}', quoted(files.file)).replaceAll('{manifest}', quoted(files.manifest));
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  return await new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', line], { stdio: ['ignore', 'ignore', 'pipe'], signal: limit });
    let said = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => (said = `${said}${text}`.slice(-SHOWN_CHARACTERS)));
    child.on('error', (error) => resolve(limit.aborted ? 'it was ended before it was done' : error.message));
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve(undefined);
      else
        resolve(
          `${killedBy === null ? `exit status ${code ?? '?'}` : `ended by ${killedBy}`}${said.trim() === '' ? '' : `: ${said.trim()}`}`,
        );
    });
  });
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
