import type { AuditStore, AuditWrites } from './audit-store.ts';
import type { CatalogueStore } from './catalogue-store.ts';
import type { IngestStore } from './ingest-store.ts';
import type { QuarantineStore } from './quarantine-store.ts';
import type { ReadingStore } from './reading-store.ts';
import type { TokenStore } from './token-store.ts';

/**
 * The record. One interface, proved by one contract suite (test/support/store-contract.ts) on every implementation. Safe for any
 * number of callers at once; no call blocks the event loop for longer than handing over its arguments. Several processes may
 * have the same store open (the commands beside the service).
 */
export interface Store
  extends IngestStore,
    CatalogueStore,
    ReadingStore,
    AuditStore,
    AuditWrites,
    QuarantineStore,
    TokenStore {
  /** Which record this is. */
  readonly record: RecordIdentity;
  /** Asks the store itself; resolves also when it is ill, within `limitMs`. */
  health(limitMs: number): Promise<StoreHealth>;
  /** Cuts back a log that something kept long; where it still does, nothing happens. */
  trimLog(): Promise<void>;
  /** Waits for what is being written. Calls after it reject with STORE_UNAVAILABLE. */
  close(): Promise<void>;
}

/** Made once with the record; stays the same when its file is moved or copied. */
export interface RecordIdentity {
  readonly id: string;
  readonly createdMs: number;
  /** What was odd about it at the start, for people. */
  readonly note?: string;
}

/** The log is written back at 32 MB; what is longer by half is kept by a reader that does not end. */
export const LARGE_LOG_BYTES = 48 * 1024 * 1024;

export interface StoreHealth {
  readonly isOk: boolean;
  /** What is wrong, for people. */
  readonly problem?: string;
  /** The record is not where the next start would look for it, and a restart would make that worse. */
  readonly isLost?: boolean;
  readonly schemaVersion: number;
  readonly sizeBytes: number;
  /** Of the write-ahead log; null where that can't be told. */
  readonly logBytes?: number | null;
  /** On the disk where it lies; null where that can't be told. */
  readonly freeBytes: number | null;
}

/**
 * BUSY, FULL, UNAVAILABLE: try again later, nothing was changed. NEWER_SCHEMA, DAMAGED, MISSING (there is no record where one
 * was), REPLACED (what lies there is another or an older one, or only a part of it): a person has to act.
 * NOT_FOUND, EXISTS, IN_USE, INVALID: the question was wrong.
 */
export type StoreErrorCode =
  | 'STORE_BUSY'
  | 'STORE_FULL'
  | 'STORE_UNAVAILABLE'
  | 'STORE_NEWER_SCHEMA'
  | 'STORE_DAMAGED'
  | 'STORE_MISSING'
  | 'STORE_REPLACED'
  | 'NOT_FOUND'
  | 'EXISTS'
  | 'IN_USE'
  | 'INVALID';

/** What failed, with which value, and what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Whether the same call may succeed later without anybody changing the call. */
  get isTemporary(): boolean {
    return this.code === 'STORE_BUSY' || this.code === 'STORE_FULL' || this.code === 'STORE_UNAVAILABLE';
  }
}
