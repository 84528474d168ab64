import type { CommitResult } from '../../ingest-store.ts';
import type { Database } from '../database.ts';
import { type CommitResultBuilder, createCommitResultBuilder } from './commit-result.ts';
import type { KnownDevices } from './devices.ts';
import type { LatestWriter } from './latest.ts';
import type { Rollups } from './rollups.ts';

/** What remembers something of the tables between transactions. */
export interface Remembers {
  forget(): void;
}

/** Runs work that stores readings as one transaction: roll-ups and newest values follow. All or nothing. */
export type WriteTransaction = (work: (result: CommitResultBuilder) => void) => CommitResult;

export function createWriteTransaction(
  db: Database,
  {
    known,
    rollups,
    newest,
    memories,
  }: {
    readonly known: KnownDevices;
    readonly rollups: Rollups;
    readonly newest: LatestWriter;
    readonly memories: readonly Remembers[];
  },
): WriteTransaction {
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const forget = (): void => {
    for (const memory of memories) memory.forget();
    rollups.forgetStored();
  };
  return (work) => {
    const result = createCommitResultBuilder();
    try {
      begin.run();
      if (known.refresh() === 'forgotten') forget();
      work(result);
      rollups.write();
      const becameNewest = newest.write();
      commit.run();
      return result.build(becameNewest);
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      known.forget();
      forget();
      throw error;
    } finally {
      rollups.forget();
      newest.forget();
    }
  };
}
