import type { Device } from './store/stored.ts';

/**
 * Whether a device is silent: the one rule, for the API, the page, metrics, commands and the doctor. Judged by when readings came,
 * never by the times that they say. Pure.
 */
export interface Contact {
  readonly state: ContactState;
  /** When a reading of it last came; null: never. */
  readonly heardMs: number | null;
  /** Older than this it is late, and older than that silent. */
  readonly lateAfterMs: number;
  readonly silentAfterMs: number;
}

/** `never`: no reading has come. `current`: one came when it should. `late`: two are missing. `silent`: six are, or it said goodbye. */
export const CONTACT_STATES = ['never', 'current', 'late', 'silent'] as const;
export type ContactState = (typeof CONTACT_STATES)[number];

/** What a device that never told its interval is judged by: the older agents' default. */
const ASSUMED_INTERVAL_MS = 300_000;
const LATE_AFTER_INTERVALS = 2;
const SILENT_AFTER_INTERVALS = 6;
const GRACE_MS = 30_000;
const MS_PER_SECOND = 1_000;

export function contactOf(device: Pick<Device, 'heardMs' | 'presence' | 'status'>, nowMs: number): Contact {
  const intervalMs = intervalOf(device);
  const lateAfterMs = LATE_AFTER_INTERVALS * intervalMs + GRACE_MS;
  // The broker says that it is gone: nothing is to be waited for any longer.
  const silentAfterMs = device.presence === 'offline' ? lateAfterMs : SILENT_AFTER_INTERVALS * intervalMs + GRACE_MS;
  const { heardMs } = device;
  return { state: stateOf(device, nowMs, { lateAfterMs, silentAfterMs }), heardMs, lateAfterMs, silentAfterMs };
}

function stateOf(
  { heardMs, presence }: Pick<Device, 'heardMs' | 'presence'>,
  nowMs: number,
  { lateAfterMs, silentAfterMs }: Pick<Contact, 'lateAfterMs' | 'silentAfterMs'>,
): ContactState {
  if (heardMs === null) return 'never';
  // Ahead of now: the clock of this server was set back since, and a device that speaks would have been heard by it again.
  const ageMs = Math.abs(nowMs - heardMs);
  if (ageMs > silentAfterMs) return 'silent';
  return ageMs > lateAfterMs || presence === 'offline' ? 'late' : 'current';
}

/** How often it promised to give a reading. */
export function intervalOf({ status }: Pick<Device, 'status'>): number {
  const seconds = status?.interval_s;
  return seconds === undefined || !(seconds > 0) ? ASSUMED_INTERVAL_MS : seconds * MS_PER_SECOND;
}
