import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDirectoryLocked } from '../journal/directory-lock.ts';
import { mayHoldReadings, type RegisteredEpoch, readRegister } from '../journal/epoch-register.ts';
import { inspectJournals, type JournalReport } from '../journal/inspect.ts';
import { JournalError } from '../journal/journal.ts';
import { createNodeJournalFs } from '../journal/journal-fs.ts';

/** What a look into the journal's folder showed. */
export type JournalLook =
  | {
      readonly state: 'seen';
      readonly reports: readonly JournalReport[];
      /** What should be there according to the register, and is not. */
      readonly missing: readonly RegisteredEpoch[];
      readonly isInUse: boolean;
    }
  | { readonly state: 'forbidden' }
  | { readonly state: 'failed'; readonly error: JournalError };

/** Looks into the folder beside whoever writes there; changes nothing. */
export async function lookAtJournals(folder: string, registerPath: string): Promise<JournalLook> {
  try {
    const fs = createNodeJournalFs();
    const before = await readRegister(fs, registerPath);
    const reports = await inspectJournals(folder, fs);
    const missing = before.filter(
      (known) =>
        known.path === folder &&
        mayHoldReadings(known) &&
        !reports.some(({ deviceUid, epoch }) => deviceUid === known.deviceUid && epoch === known.epoch),
    );
    // The agent may have delivered and removed one just now: then it is not registered any more.
    const after = missing.length === 0 ? [] : (await readRegister(fs, registerPath)).map(({ epoch }) => epoch);
    const stillMissing = missing.filter(({ epoch }) => after.includes(epoch));
    return {
      state: 'seen',
      reports,
      missing: stillMissing,
      isInUse: await isDirectoryLocked(folder).catch(() => false),
    };
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    return isForbidden(error) ? { state: 'forbidden' } : { state: 'failed', error };
  }
}

/** When something was last written there, epoch ms. */
export async function lastWriteMs(reports: readonly JournalReport[]): Promise<number | undefined> {
  const times = await Promise.all(
    reports.map(async ({ directory }) => {
      const names = await readdir(directory).catch(() => []);
      return await Promise.all(
        names.map((name) =>
          stat(join(directory, name)).then(
            ({ mtimeMs }) => mtimeMs,
            () => 0,
          ),
        ),
      );
    }),
  );
  const all = times.flat();
  return all.length === 0 ? undefined : Math.max(...all);
}

function isForbidden({ cause }: JournalError): boolean {
  return cause instanceof Error && 'code' in cause && (cause.code === 'EACCES' || cause.code === 'EPERM');
}
