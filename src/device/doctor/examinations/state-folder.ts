import type { Examination } from '../../../common/doctor/examination.ts';
import type { Finding } from '../../../common/doctor/finding.ts';
import { type FolderLook, lookAtFolder } from '../../../common/doctor/folder.ts';
import { report } from '../finding.ts';

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

/** The folder and the disk of the journal. */
export function stateFolderExamination({ folder, minFreeBytes, configFile, isPrivate }: StateFolderParts): Examination {
  return {
    id: 'state',
    title: 'Journal folder',
    run: async () => {
      const look = await lookAtFolder(folder);
      if (look.state === 'unreachable') {
        const { problem } = look;
        return [
          problem === 'EACCES' && isPrivate
            ? report('state.not-allowed', { folder })
            : report('state.not-a-folder', { folder, problem, file: configFile }),
        ];
      }
      const findings = [...disk(look), ...permissions(look)];
      if (findings.length > 0) return findings;
      if (!look.exists) return [report('state.not-yet', { folder })];
      return [report('state.ok', { folder, free: megabytes(look.freeBytes) })];
    },
  };

  function disk({ volatile, freeBytes, hasInodes }: SeenFolder): readonly Finding[] {
    const facts = { folder, free: megabytes(freeBytes), needed: megabytes(minFreeBytes) };
    const findings: Finding[] = [];
    if (volatile !== undefined) findings.push(report('state.volatile', { folder, type: volatile, file: configFile }));
    if (freeBytes < minFreeBytes) findings.push(report('state.full', facts));
    else if (!hasInodes) findings.push(report('state.no-inodes', { folder }));
    else if (freeBytes < NEARLY * minFreeBytes) findings.push(report('state.nearly-full', facts));
    return findings;
  }

  function permissions({ writeProblem: problem }: SeenFolder): readonly Finding[] {
    if (problem === undefined) return [];
    if (problem === 'EROFS') return [report('state.read-only', { folder })];
    if (problem === 'EACCES' && isPrivate) return [report('state.not-allowed', { folder })];
    return [report('state.not-writable', { folder, problem })];
  }
}

type SeenFolder = Extract<FolderLook, { readonly state: 'seen' }>;

function megabytes(bytes: number): number {
  return Math.round(bytes / BYTES_PER_MB);
}
