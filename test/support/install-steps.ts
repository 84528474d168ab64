import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleForChild } from './bundle.ts';
import { type FreshSystem, PROJECT, type RunOptions, type RunResult } from './fresh-system.ts';

/** What bootstrap-pi.sh does before its first step, and then only what is asked for. */
const PREAMBLE = `set -euo pipefail
PROJECT_DIR=${PROJECT}
export LC_ALL=C.UTF-8
umask 022
shopt -s lastpipe
source "$PROJECT_DIR/scripts/install/lib.sh"
for file in "$PROJECT_DIR"/scripts/install/*.sh; do source "$file"; done
mapfile -d '' -t arguments
parse_options "\${arguments[@]}"
catch_failures
open_log
`;

export interface StepOptions extends RunOptions {
  /** As on the command line of bootstrap-pi.sh. */
  readonly args?: readonly string[];
}

/** Single steps of the installer, in a shell of their own: `script` calls them. */
export function runSteps(system: FreshSystem, script: string, { args = [], ...options }: StepOptions = {}): RunResult {
  const input = args.map((arg) => `${arg}\0`).join('');
  return system.run('bash', ['-c', PREAMBLE + script], { ...options, input });
}

/** Puts the program of today's sources where the release has it; tests do not build the project. */
export async function provideProgram(system: FreshSystem, name: 'device' | 'server'): Promise<void> {
  const source = fileURLToPath(new URL(`../../src/${name}/main.ts`, import.meta.url));
  system.write(`${PROJECT}/dist/techtemp-${name}.js`, readFileSync(await bundleForChild(source), 'utf8'));
}
