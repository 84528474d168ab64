import type { StoreChange } from './ingest-store.ts';
import type { ServerTime } from './time-judgement.ts';

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
