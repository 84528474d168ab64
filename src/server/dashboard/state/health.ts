import type { Device } from './model.ts';

/** In the order of their weight: what somebody has to act on first. */
export const DEVICE_HEALTHS = ['fault', 'silent', 'late', 'clock', 'buffering', 'never', 'online'] as const;
export type DeviceHealth = (typeof DEVICE_HEALTHS)[number];

/** What a device that never told its interval is judged by: the older agents' default. */
const ASSUMED_INTERVAL_MS = 300_000;
/** Readings wait for their receipt for a moment; more than these have been waiting for something else. */
const BUFFERED_IN_PASSING = 10;

/** How often it promised to speak. */
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

/** Whether somebody should look: what the bar above the cards speaks of. */
export function isProblem(health: DeviceHealth): boolean {
  return health === 'fault' || health === 'silent';
}
