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
