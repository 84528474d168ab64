import { installLastWords, installSignals } from '../platform/signals.ts';

// First of all: a SIGHUP that finds no handler ends the process.
const signals = installSignals(process);
installLastWords(process, 'techtemp-server');
// `techtemp-server export | head` closes the pipe: the output is no longer read, so there is nothing more to say.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
const { runCommandLine } = await import('./cli.ts');
process.exitCode = await runCommandLine(process.argv.slice(2), signals);
