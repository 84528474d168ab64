import type { Database } from 'better-sqlite3';
import type { SqliteReader } from '../sync.ts';
import { createTokenReader } from '../tokens.ts';
import { createBuckets } from './buckets.ts';
import { createGapPages, createRejectedPages } from './gaps.ts';
import { createIntegrity } from './integrity.ts';
import { createExpected, createNumbers } from './numbers.ts';
import { createQuarantineReads } from './quarantine.ts';
import { createExtent, createLatest, createReadingPages } from './readings.ts';
import { createScopes } from './scopes.ts';

/**
 * Answers every question about the record on one connection, which may be read-only; the schema must be there. What takes
 * several statements is one read transaction, so that a commit in between does not show in part.
 */
export function createSqliteReader(db: Database): SqliteReader {
  const scopes = createScopes(db);
  const snapshot = <A extends readonly unknown[], R>(ask: (...args: A) => R): ((...args: A) => R) => {
    const inTransaction = db.transaction((args: A) => ask(...args));
    return (...args) => inTransaction(args);
  };
  const { integrity, recordIntegrity } = createIntegrity(db);
  const quarantine = createQuarantineReads(db);
  const { numbers, numbersPart, recordBegan } = createNumbers(db);
  return {
    integrity: snapshot(integrity),
    recordIntegrity: snapshot(recordIntegrity),
    latest: createLatest(db),
    readings: snapshot(createReadingPages(db, scopes)),
    buckets: snapshot(createBuckets(db, scopes)),
    expected: createExpected(db),
    extent: snapshot(createExtent(db, scopes)),
    rejected: createRejectedPages(db),
    gaps: createGapPages(db),
    ...quarantine,
    quarantineSummary: snapshot(quarantine.quarantineSummary),
    numbers: snapshot(numbers),
    numbersPart: snapshot(numbersPart),
    recordBegan,
    ...createTokenReader(db),
  };
}
