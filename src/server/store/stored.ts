import type { GapReason } from '../../contract/reading.ts';
import type { DeviceStatus } from '../../contract/status.ts';

/** What the store holds, as the rest of the server sees it: names and uids, never internal numbers. All times epoch ms UTC. */

/** A reading in the store, with the room in which its device stood at that time. */
export interface StoredReading {
  readonly deviceUid: string;
  /** By the placement at `tsMs`; null where the device stood nowhere that is known. */
  readonly roomUid: string | null;
  readonly tsMs: number;
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
  /** Null for readings of older agents, which carry no numbers. */
  readonly epoch: string | null;
  readonly seq: number | null;
  /** The time came from a clock that was never synchronised. */
  readonly isUnsynced: boolean;
  /** Somebody asked for it. */
  readonly isOnDemand: boolean;
}

export interface RoomName {
  readonly uid: string;
  readonly name: string;
}

export interface Room extends RoomName {
  readonly homeUid: string | null;
  readonly floor: string | null;
  readonly side: string | null;
  /** Its values are those of the weather, not of the house. */
  readonly isOutdoors: boolean;
}

/**
 * `active`: registered. `pending`: waits for somebody's yes; its readings are kept meanwhile. `refused`: somebody said no.
 * `removed`: taken out of service; what it measured stays, and it is registered again when it speaks again.
 */
export const DEVICE_STATES = ['active', 'pending', 'refused', 'removed'] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];

export interface Device {
  readonly uid: string;
  /** The home of its topic; null until it has spoken. */
  readonly homeUid: string | null;
  /** What people called it, else what it calls itself. */
  readonly label: string | null;
  readonly model: string | null;
  readonly state: DeviceState;
  /** Where it stands now. */
  readonly room: RoomName | null;
  readonly createdMs: number;
  /** Time of its newest reading, at most the time at which that came; never goes back. */
  readonly lastSeenMs: number | null;
  /** When a reading of it last came, by this server's clock, whatever time that said; null: never. Silence is judged by this. */
  readonly heardMs: number | null;
  readonly presence: 'online' | 'offline' | 'unknown';
  /** When the presence last changed. */
  readonly presenceMs: number | null;
  /** Its newest own word, and when that came. An `offline` will changes the presence and leaves this. */
  readonly status: DeviceStatus | null;
  readonly statusMs: number | null;
  readonly latest: StoredReading | null;
}

/** A device in a room from..to. */
export interface Placement {
  readonly deviceUid: string;
  readonly room: RoomName;
  /** 0: from the beginning. */
  readonly fromMs: number;
  /** Null: until now. */
  readonly toMs: number | null;
}

export interface StoredGap {
  readonly deviceUid: string;
  /** The epoch whose numbers are gone. */
  readonly ofEpoch: string;
  readonly fromSeq: number;
  /** Null: the end is not known. */
  readonly toSeq: number | null;
  /** Null: it is not known how many. */
  readonly count: number | null;
  readonly reason: GapReason;
  readonly fromTsMs: number | null;
  readonly toTsMs: number | null;
  /** The record's own place and time. */
  readonly epoch: string;
  readonly seq: number;
  readonly tsMs: number;
  /** A person said that this record is wrong: it is kept, and neither explains nor accuses any more. */
  readonly dismissal?: GapDismissal | null;
}

export interface GapDismissal {
  readonly reason: string;
  readonly atMs: number;
}

/** Why a message, or an item of one, is not among the readings. Codes are for ever: retired, never given another meaning. */
export const REJECT_REASONS = [
  /** The topic is none of ours, or an id in it breaks the rule. */
  'bad-topic',
  /** Larger than `ingest.max_payload_kb`, or more items than one message may hold. */
  'too-large',
  /** Bytes that are not UTF-8. */
  'not-utf8',
  'not-json',
  /** JSON that does not say what the contract says. With a number it waits in quarantine: a later version may understand it. */
  'bad-shape',
  /** Before 2000, or more than a day ahead of this server's clock. Waits in quarantine where there is room. */
  'bad-time',
  /** A number and time that are stored already, with other values. The stored ones stay. */
  'conflict',
  /** `registration = reject` and this device is not registered. Not receipted: the device keeps its readings. */
  'unknown-device',
  /** Somebody refused this device. Not receipted. */
  'refused-device',
  /** As many devices or homes as `ingest.max_devices` and `ingest.max_homes` allow are registered. Not receipted. */
  'too-many',
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

export interface Rejected {
  /** Public number, ascending; for paging. */
  readonly id: number;
  readonly topic: string;
  readonly deviceUid: string | null;
  readonly reason: RejectReason;
  /** For people: the field and what was found. */
  readonly detail: string;
  /** The first bytes, as text; bytes that are not UTF-8 are replaced. */
  readonly payload: string;
  /** Size before it was cut. */
  readonly payloadBytes: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** How often the same came (same topic, reason and payload; of unknown devices: same topic and reason). */
  readonly count: number;
}

/** Whether a reading can be of the time that it says. Pure; ingest asks when it comes, the quarantine asks again. */

/** 2000-01-01: there was no such sensor before. */
const EARLIEST_MS = 946_684_800_000;
const FUTURE_MS = 24 * 3_600_000;

/** This server's time now, with what is needed to correct what it noted earlier. */
export interface ServerTime {
  readonly nowMs: number;
  /** The boot of this machine, and its wall clock minus its monotonic clock. */
  readonly bootId: string;
  readonly wallMinusMonotonicMs: number;
  /** A time service or devices say that the wall clock is right. */
  readonly isConfirmed: boolean;
}

/** When something came, as it was noted then. */
export interface NotedArrival {
  readonly receivedMs: number;
  readonly bootId: string;
  readonly monotonicMs: number;
  readonly wasConfirmed: boolean;
}

/** For people; undefined where it can be right. */
export function timeProblem(tsMs: number, arrivedMs: number): string | undefined {
  if (tsMs < EARLIEST_MS) return `ts ${tsMs} is before the year 2000`;
  if (tsMs <= arrivedMs + FUTURE_MS) return undefined;
  return `ts ${tsMs} is ${((tsMs - arrivedMs) / FUTURE_MS).toFixed(1)} days ahead of this server's clock (${arrivedMs})`;
}

/**
 * When it came, by what is known now. Within one boot the monotonic clock says it, whatever the wall clock said then. After
 * another boot the wall clock of then counts where it was confirmed; else all that is known is that it came before now.
 */
export function arrivalAsKnown(
  { receivedMs, bootId, monotonicMs, wasConfirmed }: NotedArrival,
  now: ServerTime,
): number {
  if (bootId !== '' && bootId === now.bootId)
    return Math.min(Math.round(monotonicMs + now.wallMinusMonotonicMs), now.nowMs);
  return wasConfirmed ? Math.min(receivedMs, now.nowMs) : now.nowMs;
}
