import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Examination } from '../../../doctor/doctor.ts';
import type { Finding } from '../../../doctor/finding.ts';
import { type FolderLook, lookAtFolder } from '../../../doctor/machine.ts';
import type { StoreInspection } from '../../store/sqlite/inspect.ts';
import { LARGE_LOG_BYTES, StoreError } from '../../store/store.ts';
import { report } from '../findings/catalogue.ts';

/** What the examinations of the store work with. */
export interface StoreParts {
  /** The database file, resolved. */
  readonly path: string;
  readonly minFreeBytes: number;
  readonly configFile: string;
  /** `techtemp-server.service` */
  readonly unit: string;
  /** Whether it belongs to the service's own user, so that being kept out of it says nothing about the server. */
  readonly isPrivate: boolean;
}

const BYTES_PER_MB = 1024 * 1024;

export function megabytes(bytes: number): number {
  return Math.round(bytes / BYTES_PER_MB);
}

export interface SqliteParts {
  /** Version of SQLite. @throws StoreError */
  readonly sqliteVersion: () => Promise<string>;
  readonly nodeVersion: string;
  /** Where TechTemp is installed. */
  readonly folder: string;
}

/** The native package of the store. */
export function sqliteExamination({ sqliteVersion, nodeVersion: node, folder }: SqliteParts): Examination {
  return {
    id: 'sqlite',
    title: 'SQLite package',
    run: async () => {
      try {
        return [report('sqlite.ok', { version: await sqliteVersion() })];
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        return [report('sqlite.missing', { problem: error.message, node, folder })];
      }
    },
  };
}

/** The folder and the disk of the database. */
export function stateExamination(parts: StoreParts): Examination {
  const folder = dirname(parts.path);
  return {
    id: 'state',
    title: 'Store folder',
    run: async () => {
      const look = await lookAtFolder(folder);
      if (look.state === 'unreachable') {
        const { problem } = look;
        if (problem === 'EACCES' && parts.isPrivate) return [report('state.not-allowed', { folder })];
        return [report('state.not-a-folder', { folder, problem, file: parts.configFile })];
      }
      const findings = folderFindings(folder, look, parts);
      if (findings.length > 0) return findings;
      if (!look.exists) return [report('state.not-yet', { folder })];
      return [report('state.ok', { folder, free: megabytes(look.freeBytes) })];
    },
  };
}

function folderFindings(
  folder: string,
  { volatile, freeBytes, hasInodes, writeProblem }: Extract<FolderLook, { readonly state: 'seen' }>,
  { minFreeBytes, configFile: file, isPrivate, unit }: StoreParts,
): readonly Finding[] {
  const findings: Finding[] = [];
  if (volatile !== undefined) findings.push(report('state.volatile', { folder, type: volatile, file }));
  if (freeBytes < minFreeBytes) {
    findings.push(report('state.full', { folder, free: megabytes(freeBytes), needed: megabytes(minFreeBytes) }));
  } else if (!hasInodes) findings.push(report('state.no-inodes', { folder }));
  if (writeProblem === 'EROFS') findings.push(report('state.read-only', { folder }));
  else if (writeProblem === 'EACCES' && isPrivate) findings.push(report('state.not-allowed', { folder }));
  else if (writeProblem !== undefined) {
    findings.push(report('state.not-writable', { folder, problem: writeProblem, unit }));
  }
  return findings;
}

/** The database itself: whole, of a version that we know, and its owner's. */
export function storeExamination(parts: StoreParts, inspect: () => Promise<StoreInspection | undefined>): Examination {
  const { path: file, configFile, unit } = parts;
  return {
    id: 'store',
    title: 'Store',
    run: async () => {
      try {
        const found = await inspect();
        if (found === undefined) return [report('store.none')];
        return [stateOf(found), ...(found.state === 'missing' ? [] : await ownership()), ...logOf(found)];
      } catch (error) {
        if (!(error instanceof StoreError || isFileError(error))) throw error;
        if (isFileError(error) && error.code === 'EACCES') {
          return [report('state.not-allowed', { folder: dirname(file) })];
        }
        return [report('store.unreadable', { file, problem: error.message })];
      }
    },
  };

  function stateOf({ state, problem, version, knownVersion: known, ...found }: StoreInspection): Finding {
    switch (state) {
      case 'present': {
        const newest = found.newestMs === null ? 'none yet' : new Date(found.newestMs).toISOString();
        return report('store.ok', { file, version, size: megabytes(found.sizeBytes), devices: found.devices, newest });
      }
      case 'older':
        return report('store.older', { file, version, known });
      case 'newer':
        return report('store.newer', { file, version, known });
      case 'missing':
        return report('store.missing', { problem, unit });
      case 'replaced':
        return report('store.replaced', { problem, unit });
      case 'foreign':
        return report('store.foreign', { problem, configFile });
      case 'damaged':
        return report('store.damaged', { file, problem, unit });
    }
  }

  async function ownership(): Promise<readonly Finding[]> {
    const folder = dirname(file);
    const [{ uid: owner }, { uid: folderOwner }] = await Promise.all([stat(file), stat(folder)]);
    // A folder of root with a database of the server in it can be meant; then another finding says whether it works.
    if (owner === folderOwner || folderOwner === 0) return [];
    return [report('store.owner', { file, folder, owner, folderOwner })];
  }

  function logOf({ logBytes }: StoreInspection): readonly Finding[] {
    if (logBytes <= LARGE_LOG_BYTES) return [];
    return [report('store.large-log', { file, size: megabytes(logBytes), unit })];
  }
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
