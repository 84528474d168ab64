import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Magic numbers of statfs(2): what is stored there is gone with the power. */
const VOLATILE_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0x01021994: 'tmpfs',
  0x858458f6: 'ramfs',
  0x794c7630: 'overlay',
};

/** A folder in which a program keeps what must last. */
export type FolderLook =
  /** An error code, or which part of its path is a file. */
  | { readonly state: 'unreachable'; readonly problem: string }
  | {
      readonly state: 'seen';
      /** Whether it is there; else the rest is about the nearest folder above it. */
      readonly exists: boolean;
      /** Kind of the file system, where it is one in memory. */
      readonly volatile?: string;
      readonly freeBytes: number;
      readonly hasInodes: boolean;
      /** Why it may not be written to: an error code. */
      readonly writeProblem?: string;
    };

/** Only looks: `access` asks the kernel without writing anything. */
export async function lookAtFolder(folder: string): Promise<FolderLook> {
  const place = await nearestFolder(folder);
  if ('problem' in place) return { state: 'unreachable', problem: place.problem };
  const { type, bavail, bsize, files, ffree } = await statfs(place.existing);
  const volatile = VOLATILE_FILE_SYSTEMS[type];
  const writeProblem = await access(place.existing, constants.W_OK | constants.X_OK).then(() => undefined, errorCode);
  return {
    state: 'seen',
    exists: place.existing === folder,
    freeBytes: bavail * bsize,
    hasInodes: files === 0 || ffree > 0,
    ...(volatile !== undefined && { volatile }),
    ...(writeProblem !== undefined && { writeProblem }),
  };
}

/** The folder itself or, before the program's first start, the nearest one above it. */
async function nearestFolder(folder: string): Promise<{ readonly existing: string } | { readonly problem: string }> {
  for (let candidate = folder; ; candidate = dirname(candidate)) {
    try {
      const found = await stat(candidate);
      return found.isDirectory() ? { existing: candidate } : { problem: `${candidate} is a file` };
    } catch (error) {
      const problem = errorCode(error);
      if (problem === 'ENOTDIR') continue;
      if (problem !== 'ENOENT' || candidate === dirname(candidate)) return { problem };
    }
  }
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
