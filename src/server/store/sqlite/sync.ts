import type { AuditStore, QuarantineStore } from '../audit-store.ts';
import type { ReadingStore, TokenStore } from '../store.ts';

/** The same calls without promises, for code on the thread that holds the database. */
export type Sync<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => R : T[K];
};

/**
 * What the reading connection answers (read/sqlite-reader.ts, `createSqliteReader(db)`). Changes nothing: `tokenByHash` notes no
 * use; the store does that through the writing connection, without letting the caller wait for it.
 */
export type SqliteReader = Sync<
  ReadingStore &
    AuditStore &
    Pick<QuarantineStore, 'quarantine' | 'quarantineSummary' | 'quarantineDrops'> &
    Pick<TokenStore, 'tokens' | 'tokenByHash'>
>;

/** Token writes (read/token-writer.ts, `createTokenWriter(db)`), on the writing connection; each call is one transaction. */
export interface TokenWriter extends Sync<Pick<TokenStore, 'addToken' | 'revokeToken'>> {
  /** Sets `last_used_ms` unless it is as late already; an unknown id changes nothing. */
  noteTokenUse(id: string, usedMs: number): void;
}
