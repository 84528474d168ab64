import type { GapReason } from '../../../contract/reading.ts';
import type { DeviceStatusSummary } from '../../http/schemas/devices.ts';

/** What the page knows, in its own terms: times in epoch ms, °C, %RH. `api/from-wire.ts` makes it of the API's answers. */

export interface House {
  /** What people call the house; may be empty. */
  readonly name: string;
  readonly version: string;
  /** IANA name; days begin at its midnight. */
  readonly timeZone: string;
  readonly needsTokenToWrite: boolean;
  /** What this page may do with the token that it has. */
  readonly maySend: 'none' | 'read' | 'write';
}

export interface Room {
  readonly uid: string;
  readonly name: string;
  readonly floor: string | null;
  readonly isOutdoors: boolean;
}

export interface Reading {
  readonly deviceUid: string;
  readonly tsMs: number;
  readonly celsius: number;
  readonly percent: number;
}

export interface Device {
  readonly uid: string;
  readonly label: string | null;
  readonly model: string | null;
  readonly state: 'active' | 'pending' | 'refused' | 'removed';
  readonly room: { readonly uid: string; readonly name: string } | null;
  readonly createdMs: number;
  readonly lastSeenMs: number | null;
  readonly presence: 'online' | 'offline' | 'unknown';
  readonly presenceMs: number | null;
  /** The server's rule of silence for this device. */
  readonly contact: Contact;
  readonly status: DeviceStatusSummary | null;
  readonly statusMs: number | null;
  /** As of when the devices were asked for; HouseState.latest is newer. */
  readonly latest: Reading | null;
}

export interface Contact {
  /** When a reading last came, as of when the devices were asked for; HouseState.heard is newer. */
  readonly heardMs: number | null;
  /** Without another reading it is late, then silent, so long after that. */
  readonly lateAfterMs: number;
  readonly silentAfterMs: number;
}

/** Readings that wait because of their time, or because this server does not understand them. */
export interface Quarantine {
  readonly waiting: number;
  /** What is known against the server's own clock; null: nothing. */
  readonly clockProblem: string | null;
  readonly devices: readonly { readonly deviceUid: string; readonly count: number }[];
}

export interface Spread {
  readonly min: number;
  readonly avg: number;
  readonly max: number;
}

export interface Bucket {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
  readonly temperature: Spread | null;
  readonly humidity: Spread | null;
}

export interface Gap {
  readonly deviceUid: string;
  readonly reason: GapReason;
  /** Null: nobody knows how many. */
  readonly count: number | null;
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** When the device wrote it down. */
  readonly tsMs: number;
}
