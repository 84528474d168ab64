import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { StoreChange } from './ingest-store.ts';
import type { Rejected, RejectReason, ServerTime, StoredGap } from './stored.ts';

/** What is needed to say "there is no hole in this record, and if there is, here it is and why". */
export interface AuditStore {
  /** Newest first; one page, `next` where there is more. */
  rejected(query: RejectedQuery): Promise<{ readonly rejected: readonly Rejected[]; readonly next?: string }>;
  /** Newest first; one page, `next` where there is more. */
  gaps(query: GapQuery): Promise<{ readonly gaps: readonly StoredGap[]; readonly next?: string }>;
  /** Every number of a device that came, by epoch, oldest epoch first. Reads all its readings: for `verify`, not for a page. */
  numbers(deviceUid: string): Promise<DeviceNumbers>;
  /** Holds what is made from a device's readings against them. Reads all its readings: for `verify`. */
  integrity(deviceUid: string): Promise<DeviceIntegrity>;
  /** Which record this is, and readings in it that belong to no device. */
  recordIntegrity(): Promise<RecordIntegrity>;
  /** What `numbers` tells, of one stretch of time: so that a long record can be read in steps, between which others are served. */
  numbersPart(deviceUid: string, stretch: TimeStretch): Promise<NumbersPart>;
  /** When this record began: the oldest time that it knows of itself, by the server's clock; null while nothing was heard. */
  recordBegan(): Promise<number | null>;
}

export interface DeviceIntegrity {
  /** `missing`: there are readings, but no newest one; `without-reading`: the newest one is not among the readings as it stands. */
  readonly newest: 'ok' | 'none' | 'missing' | 'without-reading';
  /** Hours with readings or with a roll-up. */
  readonly hours: number;
  /** Whose roll-up is not what its readings say. */
  readonly wrongHours: number;
  readonly firstWrongHourMs: number | null;
  /** Epochs of its readings that are not known. */
  readonly strayEpochs: number;
}

export interface RecordIntegrity {
  readonly id: string;
  readonly createdMs: number;
  readonly generation: number;
  /** Ids that it had before it was taken over from a copy, oldest first. */
  readonly formerIds: readonly string[];
  /** Devices that readings name, and that are not known. */
  readonly strayDevices: number;
}

/** What people say about what devices said. */
export interface AuditWrites {
  /**
   * A person says that a gap record is wrong, and why. It is kept with that reason, and neither explains nor accuses any more. Saying it
   * again replaces the reason. @throws StoreError NOT_FOUND
   */
  dismissGap(place: GapPlace, reason: string, nowMs: number): Promise<StoredGap>;
}

/** A gap record's own number. */
export interface GapPlace {
  readonly deviceUid: string;
  readonly epoch: string;
  readonly seq: number;
}

export interface RejectedQuery {
  readonly deviceUid?: string;
  readonly reason?: RejectReason;
  readonly limit: number;
  readonly after?: string;
}

export interface GapQuery {
  readonly deviceUid?: string;
  /** Gaps that touch this stretch of time; those whose time is not known always count. */
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly limit: number;
  readonly after?: string;
}

export interface DeviceNumbers {
  readonly epochs: readonly EpochNumbers[];
  /** Readings of older agents. */
  readonly unnumbered: number;
}

export interface EpochNumbers {
  readonly epoch: string;
  /** Normalised; numbers of readings. */
  readonly readings: readonly SeqRange[];
  /** Normalised; numbers of gap records. */
  readonly gapRecords: readonly SeqRange[];
  /** Normalised; numbers that came and could not be stored as readings (see Rejected). */
  readonly rejected: readonly SeqRange[];
  /** Normalised; numbers that came and wait in quarantine: on disk and receipted, not yet among the readings. */
  readonly quarantined: readonly SeqRange[];
  /** Numbers that are stored more than once, with different times. */
  readonly doubled: readonly SeqRange[];
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** What gap records say about this epoch, wherever they stood. */
  readonly gaps: readonly StoredGap[];
  /** Of each range of `readings`, the times of its lowest and its highest number. */
  readonly readingTimes?: readonly TimeRange[];
  /** Whether the time of the lowest reading came from a clock that was never synchronised. */
  readonly isLowestUnsynced?: boolean;
  /** When this server first heard of the epoch; null: it took no note of it then. */
  readonly heardMs?: number | null;
  /** An older state of the record, in which the epoch ended with this number, was made the record. Absent: never. */
  readonly takeover?: Takeover | null;
}

export interface Takeover {
  readonly lastSeq: number;
  readonly takenMs: number;
}

export type TimeRange = readonly [fromMs: number, toMs: number];

/** From `fromMs` (included) to `toMs` (not). */
export interface TimeStretch {
  readonly fromMs: number;
  readonly toMs: number;
  /** Leaves out what is not by time: gap records and rejected numbers. */
  readonly readingsOnly?: boolean;
}

/** All of it is one look at the record. */
export interface NumbersPart extends DeviceNumbers {
  /** How many readings each day (UTC) of the device's whole record holds, the oldest first: tells whether a part has changed. */
  readonly days: readonly DayCount[];
  /** Of the readings without numbers: from the oldest to the newest; null where there are none. */
  readonly unnumberedTimes: TimeRange | null;
}

export type DayCount = readonly [dayMs: number, readings: number];

/**
 * What came and is receipted, but waits: the judgement on it may be wrong tomorrow. `bad-time`: its time cannot be right by this
 * server's clock. `bad-shape`: it has a number, and this version of the server does not understand the rest.
 */
export type QuarantineReason = 'bad-time' | 'bad-shape';

/** Numbers and readings in quarantine: on disk, never trimmed, released exactly once or dropped by a person. */
export interface QuarantineStore {
  /** Oldest arrival first; one page, `next` where there is more. */
  quarantine(query: QuarantineQuery): Promise<{ readonly items: readonly Quarantined[]; readonly next?: string }>;
  /** What waits, by device; one cheap query. */
  quarantineSummary(): Promise<QuarantineSummary>;
  /**
   * Judges some of what waits again, from `afterId` on (0: from the beginning), and stores what can be right: once, with its own
   * time, as an older reading. One transaction. @returns `nextId` where there is more
   */
  judgeQuarantine(step: QuarantineStep): Promise<QuarantineJudged>;
  /**
   * Stores what a person says is right as it stands, whatever its time says; up to `limit` items. What this version does not
   * understand stays. `nextId`: where there is more, go on behind it.
   */
  releaseQuarantine(
    choice: QuarantineChoice & Pick<QuarantineStep, 'afterId' | 'limit' | 'time'>,
  ): Promise<QuarantineJudged>;
  /**
   * Takes up to `limit` items out of the record for good. Numbers, times, counts and `note`, why, stay.
   * @throws StoreError INVALID without a note
   */
  dropQuarantine(drop: QuarantineDropping): Promise<{ readonly dropped: number }>;
  /** What was dropped, newest first. */
  quarantineDrops(limit: number): Promise<readonly QuarantineDrop[]>;
}

export interface QuarantineQuery {
  readonly deviceUid?: string;
  readonly limit: number;
  readonly after?: string;
}

/** Which items: of a device, one by its id, or all. */
export interface QuarantineChoice {
  readonly deviceUid?: string;
  readonly id?: number;
}

export interface QuarantineDropping extends QuarantineChoice {
  readonly limit: number;
  readonly note: string;
  readonly nowMs: number;
}

export interface QuarantineStep {
  readonly afterId: number;
  readonly limit: number;
  readonly time: ServerTime;
}

export interface QuarantineJudged {
  /** Stored as readings or gap records; what was stored already counts, too. */
  readonly released: number;
  readonly kept: number;
  readonly nextId?: number;
  /** For those who watch. */
  readonly changes: readonly StoreChange[];
}

export interface Quarantined {
  /** Public number, ascending. */
  readonly id: number;
  readonly deviceUid: string;
  /** Null for older agents. */
  readonly epoch: string | null;
  readonly seq: number | null;
  /** The time that it says; null where that could not be read. */
  readonly tsMs: number | null;
  /** When it came, by this server's clock of then. */
  readonly receivedMs: number;
  readonly reason: QuarantineReason;
  readonly detail: string;
  readonly topic: string;
  /** The whole item, as JSON. */
  readonly item: string;
}

export interface QuarantineSummary {
  readonly waiting: number;
  /** Of `waiting`: those whose time is in doubt. */
  readonly waitingForTime: number;
  /** When the newest of `waitingForTime` came; null: none waits. */
  readonly newestForTimeMs: number | null;
  readonly devices: readonly QuarantinedDevice[];
}

export interface QuarantinedDevice {
  readonly deviceUid: string;
  readonly reason: QuarantineReason;
  readonly count: number;
  readonly fromTsMs: number | null;
  readonly toTsMs: number | null;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface QuarantineDrop {
  readonly deviceUid: string;
  readonly epoch: string | null;
  readonly fromSeq: number | null;
  readonly toSeq: number | null;
  readonly count: number;
  readonly reason: QuarantineReason;
  /** Why, in the words of the person who dropped it. */
  readonly note: string;
  readonly fromTsMs: number | null;
  readonly toTsMs: number | null;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly droppedMs: number;
}
