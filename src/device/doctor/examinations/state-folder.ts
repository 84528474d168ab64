import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Examination } from '../../../common/doctor/examination.ts';
import type { Finding } from '../../../common/doctor/finding.ts';
import { report } from '../finding.ts';

/** Magic numbers of statfs(2): what is stored there is gone with the power. */
const VOLATILE_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0x01021994: 'tmpfs',
  0x858458f6: 'ramfs',
  0x794c7630: 'overlay',
};
/** Below this many times the space that is kept free, a warning is due. */
const NEARLY = 2;
/** As `[journal] min_free_mb` counts. */
const BYTES_PER_MB = 1024 * 1024;

export interface StateFolderParts {
  /** Of the journal, resolved. */
  readonly folder: string;
  readonly minFreeBytes: number;
  readonly configFile: string;
  /** Whether the folder belongs to the service's own user, so that being kept out of it says nothing about the agent. */
  readonly isPrivate: boolean;
}

/** The folder and the disk of the journal. Only looks: `access` asks the kernel without writing anything. */
export function stateFolderExamination({ folder, minFreeBytes, configFile, isPrivate }: StateFolderParts): Examination {
  return {
    id: 'state',
    title: 'Journal folder',
    run: async () => {
      const place = await nearestFolder(folder);
      if ('problem' in place) {
        return [
          place.problem === 'EACCES' && isPrivate
            ? report('state.not-allowed', { folder })
            : report('state.not-a-folder', { folder, problem: place.problem, file: configFile }),
        ];
      }
      const findings = [...(await diskOf(place.existing)), ...(await permissionsOf(place.existing))];
      if (findings.length > 0) return findings;
      const { bavail, bsize } = await statfs(place.existing);
      if (place.existing !== folder) return [report('state.not-yet', { folder })];
      return [report('state.ok', { folder, free: megabytes(bavail * bsize) })];
    },
  };

  async function diskOf(existing: string): Promise<readonly Finding[]> {
    const { type, bavail, bsize, files, ffree } = await statfs(existing);
    const facts = { folder, free: megabytes(bavail * bsize), needed: megabytes(minFreeBytes) };
    const findings: Finding[] = [];
    const memory = VOLATILE_FILE_SYSTEMS[type];
    if (memory !== undefined) findings.push(report('state.volatile', { folder, type: memory, file: configFile }));
    if (bavail * bsize < minFreeBytes) findings.push(report('state.full', facts));
    else if (files > 0 && ffree === 0) findings.push(report('state.no-inodes', { folder }));
    else if (bavail * bsize < NEARLY * minFreeBytes) findings.push(report('state.nearly-full', facts));
    return findings;
  }

  async function permissionsOf(existing: string): Promise<readonly Finding[]> {
    try {
      await access(existing, constants.W_OK | constants.X_OK);
      return [];
    } catch (error) {
      const problem = errorCode(error);
      if (problem === 'EROFS') return [report('state.read-only', { folder })];
      if (problem === 'EACCES' && isPrivate) return [report('state.not-allowed', { folder })];
      return [report('state.not-writable', { folder, problem })];
    }
  }
}

/** The folder itself or, before the agent's first start, the nearest one above it. */
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

function megabytes(bytes: number): number {
  return Math.round(bytes / BYTES_PER_MB);
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
