import { readFile } from 'node:fs/promises';
import { giveToOwnerOf, writeFileAtomic } from '../../platform/files.ts';

/**
 * What became of the last backup and of the last test of one: a small file beside the record, so that every program that looks (server,
 * `check`, `backups`) says the same, also after a restart.
 */
export interface BackupState {
  /** The last try, made by the server or by a person. */
  readonly tried: string | null;
  /** Why it failed; null: it did not. */
  readonly problem: string | null;
  /** The newest backup that was made. */
  readonly newest: string | null;
  /** Why the command after it failed; null: it did not, or there is none. */
  readonly afterProblem: string | null;
  /** When a backup was last unpacked and examined, and what was wrong with it. */
  readonly tested: string | null;
  readonly testProblem: string | null;
}

const NOTHING: BackupState = {
  tried: null,
  problem: null,
  newest: null,
  afterProblem: null,
  tested: null,
  testProblem: null,
};

export function backupStatePath(recordPath: string): string {
  return `${recordPath}.backup`;
}

/** A file that is not there, or cannot be read, knows nothing. */
export async function readBackupState(recordPath: string): Promise<BackupState> {
  try {
    const said = JSON.parse(await readFile(backupStatePath(recordPath), 'utf8')) as Record<string, unknown>;
    const text = (key: keyof BackupState): string | null => (typeof said[key] === 'string' ? said[key] : null);
    return {
      tried: text('tried'),
      problem: text('problem'),
      newest: text('newest'),
      afterProblem: text('afterProblem'),
      tested: text('tested'),
      testProblem: text('testProblem'),
    };
  } catch {
    return NOTHING;
  }
}

/** One writer at a time. @throws what the file system throws */
export async function noteBackupState(recordPath: string, changes: Partial<BackupState>): Promise<void> {
  const state = { ...(await readBackupState(recordPath)), ...changes };
  await writeFileAtomic(backupStatePath(recordPath), `${JSON.stringify(state)}\n`, { mode: 0o640 });
  await giveToOwnerOf(recordPath, [backupStatePath(recordPath)]);
}
