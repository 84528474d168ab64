import type { Device } from './model.ts';

/** In the order of their weight: what somebody has to act on first. */
export const DEVICE_HEALTHS = ['fault', 'silent', 'late', 'clock', 'buffering', 'never', 'online'] as const;
export type DeviceHealth = (typeof DEVICE_HEALTHS)[number];

/** What a device that never told its interval is judged by: the older agents' default. */
const ASSUMED_INTERVAL_MS = 300_000;
/** Readings wait for their receipt for a moment; more than these have been waiting for something else. */
const BUFFERED_IN_PASSING = 10;
/** Online until two readings are missing and a bit, late until six are, silent from then on. */
const LATE_AFTER_INTERVALS = 2;
const SILENT_AFTER_INTERVALS = 6;
const GRACE_MS = 30_000;

/** How often it promised to speak. */
export function intervalMs(device: Pick<Device, 'status'>): number {
  const seconds = device.status?.interval_s;
  return seconds === undefined || !(seconds > 0) ? ASSUMED_INTERVAL_MS : seconds * 1000;
}

/**
 * How a device is doing: by the age of its newest reading against the interval that it promised, and by what it says of itself,
 * as long as it is there to say it.
 */
export function healthOf(device: Device, lastReadingMs: number | null, nowMs: number): DeviceHealth {
  const { status, presence } = device;
  if (presence === 'online' && status?.sensor?.state === 'fault') {
    return 'fault';
  }
  if (lastReadingMs === null) {
    return 'never';
  }
  const ageMs = nowMs - lastReadingMs;
  const lateAfterMs = LATE_AFTER_INTERVALS * intervalMs(device) + GRACE_MS;
  if (ageMs > SILENT_AFTER_INTERVALS * intervalMs(device) + GRACE_MS) {
    return 'silent';
  }
  if (presence === 'offline') {
    return ageMs > lateAfterMs ? 'silent' : 'late';
  }
  if (ageMs > lateAfterMs) {
    return 'late';
  }
  if (status?.clock !== undefined && status.clock.state !== 'synced') {
    return 'clock';
  }
  return (status?.journal?.buffered ?? 0) > BUFFERED_IN_PASSING ? 'buffering' : 'online';
}

/** Whether somebody should look: what the bar above the cards speaks of. */
export function isProblem(health: DeviceHealth): boolean {
  return health === 'fault' || health === 'silent';
}
