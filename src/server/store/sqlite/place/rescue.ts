import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../../../platform/clock.ts';
import type { Log } from '../../../../platform/log.ts';
import type { Database, Sqlite } from '../database.ts';
import { verifiedVersionOf } from '../migrate.ts';
import { syncPath } from './identity-file.ts';
import { type LostPart, PlaceLostError } from './place.ts';

export interface RescueParts {
  /** On the reading connection. */
  readonly saveCopy: (target: string) => Promise<void>;
  /** On the writing connection. */
  readonly writeBack: () => Promise<boolean>;
  readonly path: string;
  readonly stateFolder: string | undefined;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly log: Log;
}

/** After an attempt to save the record has failed: room may have been made. */
const RETRY_MS = 60_000;

/** How far it has come. */
type Rescue =
  | { readonly state: 'under-way' }
  | { readonly state: 'saved'; readonly file: string }
  | { readonly state: 'written-back' }
  | { readonly state: 'failed'; readonly problem: string; readonly atMs: number };

/**
 * Saves a record that is not at its place any more. Goes around each call of the writing connection. When a call finds that the
 * record is lost, what was stored until then is saved from the files that SQLite still has open: once, before anything else can
 * happen to them. Each call that fails for this reason says how far that has come, and what to do.
 */
export function createRescue(parts: RescueParts): (call: () => unknown) => Promise<unknown> {
  const { path, clock, log } = parts;
  let rescue: Rescue | undefined;
  let rescuedFrom: LostPart | undefined;
  let isLost = false;

  const begin = (lost: PlaceLostError): void => {
    if (!lost.isWhole) {
      if (!isLost) log.error({ path }, told(lost, rescue, path).message);
      isLost = true;
      return;
    }
    isLost = true;
    // Files go one after the other: the log was written back into a database file that is gone now, too.
    const isWorse = lost.part === 'database' && rescuedFrom !== 'database';
    const isAgain = rescue?.state === 'failed' && clock.monotonicMs() - rescue.atMs >= RETRY_MS;
    if (rescue !== undefined && !isWorse && !isAgain) return;
    const underWay: Rescue = { state: 'under-way' };
    rescue = underWay;
    rescuedFrom = lost.part;
    const work = lost.part === 'database' ? save(parts) : bringBack(parts);
    work.then(
      (done) => {
        if (rescue !== underWay) return;
        rescue = done;
        log.error({ path, ...done }, told(lost, done, path).message);
      },
      (error: unknown) => {
        if (rescue !== underWay) return;
        rescue = { state: 'failed', problem: (error as Error).message, atMs: clock.monotonicMs() };
        log.error({ path, error }, told(lost, rescue, path).message);
      },
    );
  };
  return async (call) => {
    try {
      const result = await call();
      if (isLost) {
        isLost = false;
        rescue = undefined;
        rescuedFrom = undefined;
        log.info({ path }, 'the files of the record are at their place again');
      }
      return result;
    } catch (error) {
      if (!(error instanceof PlaceLostError)) throw error;
      begin(error);
      throw told(error, rescue, path);
    }
  };
}

/** Beside the record where that is possible: the next start sees it there. */
async function save({ saveCopy, path, stateFolder, clock }: RescueParts): Promise<Rescue> {
  const time = new Date(clock.nowMs()).toISOString().slice(0, 19).replaceAll(':', '-');
  const file = join(folderFor(path, stateFolder), `${basename(path)}.rescued-${time}Z`);
  await saveCopy(file);
  return { state: 'saved', file };
}

function folderFor(path: string, stateFolder: string | undefined): string {
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true });
    return folder;
  } catch (error) {
    if (stateFolder === undefined || !existsSync(stateFolder)) throw error;
    return stateFolder;
  }
}

async function bringBack({ writeBack }: RescueParts): Promise<Rescue> {
  if (await writeBack()) return { state: 'written-back' };
  throw new Error('another program reads the database, so that its log could not be written back');
}

/** The same error with what has become of the record, and the remedy. */
function told(lost: PlaceLostError, rescue: Rescue | undefined, path: string): PlaceLostError {
  const { part, isWhole, code, message } = lost;
  const isCuredByRestart = rescue?.state === 'written-back';
  return new PlaceLostError(
    code,
    { part, isWhole, isCuredByRestart },
    `${message}. Nothing more is taken. ${outcome(rescue, path)}`,
  );
}

function outcome(rescue: Rescue | undefined, path: string): string {
  switch (rescue?.state) {
    case 'under-way':
      return 'What was stored is still open, and is being saved now: do not stop the server yet.';
    case 'saved':
      return (
        `All that was stored until then was saved to ${rescue.file}. To go on with it: stop the server, run ` +
        `"techtemp-server init --from ${rescue.file}", and start the server.`
      );
    case 'written-back':
      return 'All that was stored is in the database file. Restart the server.';
    case 'failed':
      return (
        `What was stored is still open, but could not be saved: ${rescue.problem}. Do not stop the server: put the file back to ` +
        `${path}, or make room; it tries again each minute.`
      );
    case undefined:
      return (
        'What it held cannot be saved from here. Stop the server, keep the file, and put back a backup with ' +
        '"techtemp-server init --from FILE"; devices send again what they still have.'
      );
  }
}

/** On the writing connection. @returns whether all of the log is in the database file now */
export function writeLogBack(db: Database): boolean {
  const [said] = db.pragma('wal_checkpoint(FULL)') as readonly { busy: number; log: number; checkpointed: number }[];
  return said?.busy === 0 && said.log === said.checkpointed;
}

/** On a connection that only reads. Under its name only when it is whole and on the disk. @throws what SQLite throws */
export function saveCopyOf(sqlite: Sqlite, db: Database, target: string): void {
  const draft = `${target}.tmp`;
  rmSync(draft, { force: true });
  try {
    // The copy is another file; nothing is written to this database.
    db.pragma('query_only = OFF');
    try {
      db.prepare('VACUUM INTO ?').run(draft);
    } finally {
      db.pragma('query_only = ON');
    }
    verifiedVersionOf(sqlite, draft);
    syncPath(draft);
    renameSync(draft, target);
    syncPath(dirname(target));
  } finally {
    rmSync(draft, { force: true });
  }
}
