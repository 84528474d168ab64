import type { AuditStore } from './audit-store.ts';
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
export interface Store extends IngestStore, CatalogueStore, ReadingStore, AuditStore, QuarantineStore, TokenStore {
  /** Asks the store itself; resolves also when it is ill, within `limitMs`. */
  health(limitMs: number): Promise<StoreHealth>;
  /** Waits for what is being written. Calls after it reject with STORE_UNAVAILABLE. */
  close(): Promise<void>;
}

export interface StoreHealth {
  readonly isOk: boolean;
  /** What is wrong, for people. */
  readonly problem?: string;
  readonly schemaVersion: number;
  readonly sizeBytes: number;
  /** On the disk where it lies; null where that can't be told. */
  readonly freeBytes: number | null;
}

/**
 * BUSY, FULL, UNAVAILABLE: try again later, nothing was changed. NEWER_SCHEMA, DAMAGED: a person has to act.
 * NOT_FOUND, EXISTS, IN_USE, INVALID: the question was wrong.
 */
export type StoreErrorCode =
  | 'STORE_BUSY'
  | 'STORE_FULL'
  | 'STORE_UNAVAILABLE'
  | 'STORE_NEWER_SCHEMA'
  | 'STORE_DAMAGED'
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
