import { vi } from 'vitest';
import { runCommandLine as runDeviceLine } from '../../src/device/cli.ts';
import type { ProcessSignals } from '../../src/platform/signals.ts';
import { runCommandLine as runServerLine } from '../../src/server/cli.ts';

export type Program = 'techtemp-device' | 'techtemp-server';

export interface CommandLineResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nothing stops or reloads what is run here. */
const SIGNALS: ProcessSignals = { stop: new AbortController().signal, onReload: () => undefined };

/** Runs a command line of a program in this process, with this environment; what it writes is caught. One at a time. */
export async function runCommandLine(
  program: Program,
  arguments_: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandLineResult> {
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  for (const name of Object.keys(process.env)) {
    if (/^(TECHTEMP_|STATE_DIRECTORY|CREDENTIALS_DIRECTORY|CONFIGURATION_DIRECTORY)/.test(name))
      vi.stubEnv(name, undefined);
  }
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  try {
    const exitCode =
      program === 'techtemp-device'
        ? (await runDeviceLine(arguments_, SIGNALS)).exitCode
        : await runServerLine(arguments_, SIGNALS);
    return { exitCode, ...said };
  } finally {
    vi.unstubAllEnvs();
    for (const spy of spies) spy.mockRestore();
  }
}
