import type { AuditStore, AuditWrites, QuarantineStore } from './audit-store.ts';
import type { IngestStore } from './ingest-store.ts';
import type { Device, Placement, Room, StoredReading } from './stored.ts';

/** Who may use the HTTP API. Only hashes are kept. */
export interface TokenStore {
  addToken(token: NewToken): Promise<Token>;
  /** Also those that are revoked or have expired; oldest first. */
  tokens(): Promise<readonly Token[]>;
  /** In force: neither revoked nor expired at `nowMs`. Notes the use, to the hour. */
  tokenByHash(hash: string, nowMs: number): Promise<Token | undefined>;
  /** By id. Revoking twice changes nothing. @throws StoreError NOT_FOUND */
  revokeToken(id: string, nowMs: number): Promise<Token>;
}

/** `write` includes reading. */
export type TokenScope = 'read' | 'write';

export interface NewToken {
  /** Public, short, random. */
  readonly id: string;
  readonly name: string;
  readonly scope: TokenScope;
  /** Lower-case hex of SHA-256 of the secret, which has 256 random bits (so a slow hash would add nothing). */
  readonly hash: string;
  readonly createdMs: number;
  readonly expiresMs: number | null;
}

export interface Token extends Omit<NewToken, 'hash'> {
  readonly lastUsedMs: number | null;
  readonly revokedMs: number | null;
}

/** The reading end: values over time. None of it changes anything; all may run side by side with commits. */
export interface ReadingStore {
  /** The newest reading of each device that is not refused or removed, sorted by device uid; one cheap query. */
  latest(filter?: { readonly deviceUid?: string; readonly roomUid?: string }): Promise<readonly StoredReading[]>;
  /** One page. `next` is undefined on the last one; nothing is ever cut without it. */
  readings(query: ReadingQuery): Promise<ReadingPage>;
  /**
   * One bucket per pair of neighbouring edges: from edge i (included) to edge i+1 (not). Time zones and calendars are the
   * caller's: it gives the edges. Roll-ups serve whole hours, readings the rest.
   */
  buckets(scope: ReadingScope, edgesMs: readonly number[]): Promise<readonly Bucket[]>;
  /**
   * How many readings the device should have given between each two edges, by the intervals that its status told over time, up to
   * `nowMs`; null where it is not known (older agents).
   */
  expected(deviceUid: string, edgesMs: readonly number[], nowMs: number): Promise<readonly (number | null)[]>;
  /** Time of the oldest and newest reading; undefined where there is none. */
  extent(scope: ReadingScope): Promise<{ readonly fromMs: number; readonly toMs: number } | undefined>;
}

/** Readings of a device wherever it stood, or of whatever stood in a room while it stood there; or all. */
export type ReadingScope = { readonly deviceUid: string } | { readonly roomUid: string } | 'all';

export interface ReadingQuery {
  readonly scope: ReadingScope;
  /** Included. */
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
  readonly order: 'oldest-first' | 'newest-first';
  readonly limit: number;
  /** `next` of the page before. @throws StoreError INVALID when it is none of ours */
  readonly after?: string;
}

export interface ReadingPage {
  /** Ordered by time, then device, epoch and number. */
  readonly readings: readonly StoredReading[];
  /** Opaque, safe in a URL. Stays valid while readings are added. */
  readonly next?: string;
}

/** Null members where `count` is 0. */
export interface Bucket {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
  readonly temperature: Spread | null;
  readonly humidity: Spread | null;
}

export interface Spread {
  readonly min: number;
  readonly avg: number;
  readonly max: number;
}

/**
 * Homes, rooms, devices and where they stood. Each call is one transaction. @throws StoreError NOT_FOUND, EXISTS, IN_USE, INVALID
 * with a message for people, besides what any call of the store throws
 */
export interface CatalogueStore {
  /** Sorted by uid; removed devices only when asked for. */
  devices(filter?: { readonly withRemoved?: boolean }): Promise<readonly Device[]>;
  /** Also one that was removed, see its state; undefined where there never was one, or all of it was deleted. */
  device(uid: string): Promise<Device | undefined>;
  /** Provisions devices, all or none; makes rooms that are missing. @throws StoreError EXISTS when one is there (not removed) */
  addDevices(devices: readonly NewDevice[], nowMs: number): Promise<readonly Device[]>;
  /** Approving (`state: 'active'`), refusing, naming, moving; what is absent stays. A label touches no placement. */
  updateDevice(uid: string, change: DeviceChange, nowMs: number): Promise<Device>;
  /**
   * `keep`: the device is removed, its readings and placements stay in the record. `delete`: everything of it goes.
   * @returns how many readings stayed or went
   */
  removeDevice(uid: string, readings: 'keep' | 'delete', nowMs: number): Promise<{ readonly readings: number }>;
  /** Oldest first. */
  placements(deviceUid: string): Promise<readonly Placement[]>;

  rooms(): Promise<readonly Room[]>;
  room(uid: string): Promise<Room | undefined>;
  /** Without a uid it is made of the name. @throws StoreError EXISTS, INVALID */
  addRoom(room: NewRoom): Promise<Room>;
  updateRoom(uid: string, change: RoomChange): Promise<Room>;
  /** @throws StoreError IN_USE while a device stands or stood there */
  removeRoom(uid: string): Promise<void>;
}

/** By uid, by name, or both for a new one (`uid` names it then). A name that no room has makes a room. */
export interface RoomChoice {
  readonly uid?: string;
  readonly name?: string;
}

export interface NewDevice {
  readonly uid: string;
  readonly room?: RoomChoice;
  readonly label?: string;
  readonly model?: string;
}

export interface DeviceChange {
  /** Null: what the device calls itself. */
  readonly label?: string | null;
  /** Null: it stands nowhere from `movedAtMs` on. */
  readonly room?: RoomChoice | null;
  /**
   * From when on it stands in `room`; absent: now, or from the beginning for a device that never stood anywhere. Relabels what was
   * measured since. @throws StoreError INVALID when in the future, or not after the beginning of the present placement
   */
  readonly movedAtMs?: number;
  readonly state?: 'active' | 'refused';
}

export interface NewRoom {
  readonly uid?: string;
  readonly name: string;
  readonly homeUid?: string;
  readonly floor?: string | null;
  readonly side?: string | null;
  readonly isOutdoors?: boolean;
}

export type RoomChange = Partial<Pick<NewRoom, 'name' | 'floor' | 'side' | 'isOutdoors'>>;

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
  /** Asks the store itself; resolves also when it does not work, within `limitMs`. */
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
