import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleForChild } from './bundle.ts';
import { type FreshSystem, PROJECT, type RunOptions, type RunResult } from './fresh-system.ts';

/** What bootstrap-pi.sh does before its first step, and then only what is asked for. */
const PREAMBLE = `set -euo pipefail
source <(sed '$d' ${PROJECT}/bootstrap-pi.sh)
PROJECT_DIR=${PROJECT}
load_modules
parse_options "$@"
catch_failures
open_log
`;

export interface StepOptions extends RunOptions {
  /** As on the command line of bootstrap-pi.sh. */
  readonly args?: readonly string[];
}

/** Single steps of the installer, in a shell of their own: `script` calls them. */
export function runSteps(system: FreshSystem, script: string, { args = [], ...options }: StepOptions = {}): RunResult {
  return system.run('bash', ['-c', PREAMBLE + script, 'steps', ...args], options);
}

/** Puts the program of today's sources where the release has it; tests do not build the project. */
export async function provideProgram(system: FreshSystem, name: 'device' | 'server'): Promise<void> {
  const source = fileURLToPath(new URL(`../../src/${name}/main.ts`, import.meta.url));
  system.write(`${PROJECT}/dist/techtemp-${name}.js`, readFileSync(await bundleForChild(source), 'utf8'));
}
