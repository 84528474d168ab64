import { type FreshSystem, PROJECT, type RunOptions, type RunResult } from './fresh-system.ts';

/** A script for bash that has the installer's functions, traps and log, for tests of single steps. */
export function inInstaller(system: FreshSystem, script: string, options: RunOptions = {}): RunResult {
  const lines = [
    'set -euo pipefail',
    'shopt -s lastpipe',
    'export LC_ALL=C.UTF-8',
    'umask 022',
    `PROJECT_DIR=${PROJECT}`,
    `for file in ${PROJECT}/scripts/install/{lib.sh,*.sh}; do source "$file"; done`,
    'set_defaults',
    'ACTION=install ROLE_DEVICE=1',
    'catch_failures',
    'open_log',
    script,
  ];
  return system.run('bash', ['-c', lines.join('\n')], options);
}
