import type { GapReason } from '../../contract/reading.ts';
import type { DeviceStatusSummary } from '../../server/http/schemas/devices.ts';

/** Whether what is shown is live. `polling`: the server has too many watchers; the page asks now and then. */
export type Connection =
  | { readonly kind: 'connecting' | 'live' | 'paused' | 'polling' }
  | { readonly kind: 'lost'; readonly sinceMs: number; readonly error: unknown };

/** The most urgent first. */
export const DEVICE_HEALTHS = ['fault', 'silent', 'late', 'clock', 'buffering', 'never', 'online'] as const;
export type DeviceHealth = (typeof DEVICE_HEALTHS)[number];

/** Used for a device that never sent its interval: the default of older agents. */
const ASSUMED_INTERVAL_MS = 300_000;
/** Readings wait for their receipt for a moment; more than these have been waiting for something else. */
const BUFFERED_IN_PASSING = 10;

/** How often the device is to send a reading. */
export function intervalMs(device: Pick<Device, 'status'>): number {
  const seconds = device.status?.interval_s;
  return seconds === undefined || !(seconds > 0) ? ASSUMED_INTERVAL_MS : seconds * 1000;
}

/**
 * How a device is doing: by when a reading of it last came, against what the server says is late and silent, and by what it says
 * of itself, as long as it is there to say it.
 */
export function healthOf(device: Device, heardMs: number | null, nowMs: number): DeviceHealth {
  const { status, presence, contact } = device;
  if (presence === 'online' && status?.sensor?.state === 'fault') {
    return 'fault';
  }
  if (heardMs === null) {
    return 'never';
  }
  const ageMs = nowMs - heardMs;
  if (ageMs > contact.silentAfterMs) {
    return 'silent';
  }
  if (ageMs > contact.lateAfterMs || presence === 'offline') {
    return 'late';
  }
  if (status?.clock !== undefined && status.clock.state !== 'synced') {
    return 'clock';
  }
  return (status?.journal?.buffered ?? 0) > BUFFERED_IN_PASSING ? 'buffering' : 'online';
}

/** Whether a person should look at it: these are listed above the cards. */
export function isProblem(health: DeviceHealth): boolean {
  return health === 'fault' || health === 'silent';
}

/** What the page knows, in its own terms: times in epoch ms, °C, %RH. `api/from-wire.ts` makes it of the API's answers. */

export interface Site {
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
  /** As of when the devices were asked for; SiteState.latest is newer. */
  readonly latest: Reading | null;
}

export interface Contact {
  /** When a reading last came, as of when the devices were asked for; SiteState.heard is newer. */
  readonly heardMs: number | null;
  /** Without another reading it is late, then silent, so long after that. */
  readonly lateAfterMs: number;
  readonly silentAfterMs: number;
}

/** Readings that wait because of their time, or because this server does not understand them. */
export interface Quarantine {
  readonly waiting: number;
  /** Why the clock of the server may be wrong; null: no reason known. */
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
  /** Null: not known. */
  readonly count: number | null;
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** When the device wrote it down. */
  readonly tsMs: number;
}
