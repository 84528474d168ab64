import { chownSync } from 'node:fs';

const NOBODY = 65_534;

/**
 * Runs `work` as a user who may not read and write everything, also where the tests run as root. `paths` belong to that user meanwhile.
 * What is imported on the way has to be loaded before, in case this user can't see the project's folder.
 */
export async function asOrdinaryUser<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  for (const path of paths) chownSync(path, NOBODY, NOBODY);
  process.seteuid?.(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
    for (const path of paths) chownSync(path, 0, 0);
  }
}

/**
 * The same for good, for a file of tests that all need it: some questions to the kernel, such as access(2), are answered for the
 * user who began the process.
 */
export function becomeOrdinaryUser(): void {
  if (process.geteuid?.() !== 0) return;
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}
