import type { GapRecord, Reading } from '../../contract/reading.ts';
import type { SeqRange } from '../../contract/seq-ranges.ts';
import type { DeviceStatus } from '../../contract/status.ts';
import type { RejectReason, ServerTime, StoredReading } from './stored.ts';

/** The writing end: what came from the broker goes in, in one transaction; what may be acknowledged comes out. */
export interface IngestStore {
  /**
   * Commits all of it or nothing, and resolves once it is on disk (fsync). Readings, roll-ups, newest values, registration and
   * rejected messages are one transaction. The same batch again changes nothing but counters. One at a time is enough; calls
   * that overlap are carried out in order. @throws StoreError; nothing may be acknowledged then
   */
  commit(batch: IngestBatch): Promise<CommitResult>;
}

export interface IngestBatch {
  /** In the order in which they came. */
  readonly messages: readonly IngestMessage[];
  readonly registration: Registration;
  /** How many rejected messages are kept; the oldest go. */
  readonly maxRejected: number;
  /** How much may wait in quarantine; beyond it nothing is receipted that would have to wait. Default 1,000,000. */
  readonly maxQuarantine?: number;
  /** For what has to wait in quarantine: by which clock it came. */
  readonly time?: ServerTime;
  /** How many rows devices can make by speaking; default: any number. What people add is not bounded by it. */
  readonly atMost?: RecordBounds;
}

/** Of what a message alone can make new. */
export interface RecordBounds {
  readonly devices: number;
  readonly homes: number;
  readonly rooms: number;
}

/**
 * What happens when a device sends something and is not registered. `auto`: registered, and put into the room that it names itself.
 * `approve`: kept as pending with its readings until somebody says yes. `reject`: its messages are rejected without a receipt.
 */
export type Registration = 'auto' | 'approve' | 'reject';

export type IngestMessage = ItemsMessage | StatusMessage | RejectedMessage;

interface MessageBase {
  readonly topic: string;
  /** Wall clock when it came. */
  readonly receivedMs: number;
}

/** From `reading`, `backlog` or `gap`. */
export interface ItemsMessage extends MessageBase {
  readonly kind: 'items';
  readonly homeId: string;
  readonly deviceUid: string;
  readonly items: readonly (Reading | GapRecord)[];
  /** What of the same message could not be read or cannot be right; it does not hold up the rest. */
  readonly bad: readonly BadItem[];
  /** Held by the broker: says nothing about when it came. */
  readonly isRetained?: boolean;
}

export interface BadItem extends Rejection {
  /** Where they could be read: then it waits in quarantine, where its payload is whole, and is receipted. */
  readonly epoch?: string;
  readonly seq?: number;
  /** The time that it says, where that could be read. */
  readonly tsMs?: number;
}

export interface StatusMessage extends MessageBase {
  readonly kind: 'status';
  readonly homeId: string;
  readonly deviceUid: string;
  readonly status: DeviceStatus;
  /** Held by the broker and delivered at subscribing: says nothing about when. */
  readonly isRetained: boolean;
}

/** A message of which nothing could be used. */
export interface RejectedMessage extends MessageBase, Rejection {
  readonly kind: 'rejected';
  readonly deviceUid?: string;
}

export interface Rejection {
  readonly reason: RejectReason;
  /** For people: the field and what was found. */
  readonly detail: string;
  /** The first bytes of what came (PAYLOAD_KEPT_BYTES at most). */
  readonly payload: string;
  readonly payloadBytes: number;
}

/** Of a rejected payload this much is kept. */
export const PAYLOAD_KEPT_BYTES = 4096;
/** Of an item this much; it is kept whole in quarantine, or not there. A reading has 150 bytes. */
export const ITEM_KEPT_BYTES = 16_384;

export interface CommitResult {
  readonly counts: CommitCounts;
  /** What may be receipted: everything whose fate is on disk. One entry per home, device and epoch; exact ranges. */
  readonly receipts: readonly ReceiptFor[];
  /** For those who watch live, in order. */
  readonly changes: readonly StoreChange[];
}

export interface CommitCounts {
  /** New readings. */
  readonly stored: number;
  /** Came again with the same content. */
  readonly duplicates: number;
  /** Readings without numbers whose values replaced those stored for the same device and time. */
  readonly corrected: number;
  readonly gaps: number;
  readonly statuses: number;
  /** Items that came and wait in quarantine; absent: none. */
  readonly quarantined?: number;
  /** Rejected, by reason. */
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>;
  /** Devices registered by this batch (pending ones included). */
  readonly registered: number;
}

export interface ReceiptFor {
  readonly homeId: string;
  readonly deviceUid: string;
  readonly epoch: string;
  readonly stored: readonly SeqRange[];
}

export type StoreChange =
  /** The newest reading of its device. */
  | { readonly kind: 'reading'; readonly reading: StoredReading }
  /** Older readings were added or corrected (a backlog), from the oldest to the newest of them, both included: ask again. */
  | {
      readonly kind: 'history';
      readonly deviceUid: string;
      readonly fromMs: number;
      readonly toMs: number;
      readonly count: number;
    }
  /** Registered, renamed, moved, other status or presence: ask for the device again. */
  | { readonly kind: 'device'; readonly deviceUid: string }
  | { readonly kind: 'gap'; readonly deviceUid: string }
  | { readonly kind: 'rejected'; readonly count: number };
