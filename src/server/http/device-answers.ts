import type { DeviceStatus } from '../../contract/status.ts';
import { contactOf } from '../contact.ts';
import type * as stored from '../store/stored.ts';
import type { Contact, Device, DeviceStatusSummary, Placement } from './schemas/devices.ts';
import type { Room } from './schemas/rooms.ts';
import { isoTime, isoTimeOrNull } from './times.ts';

/** Devices, placements and rooms as the API tells them. The schemas of the answers take out whatever is not in them. */

export function deviceAnswer(device: stored.Device, nowMs: number): Device {
  const { latest, status } = device;
  return {
    uid: device.uid,
    room: device.room,
    label: device.label,
    created_at: isoTime(device.createdMs),
    last_seen_at: isoTimeOrNull(device.lastSeenMs),
    home_id: device.homeUid,
    model: device.model,
    state: device.state,
    presence: device.presence,
    presence_at: isoTimeOrNull(device.presenceMs),
    contact: contactAnswer(device, nowMs),
    latest:
      latest === null
        ? null
        : { ts: isoTime(latest.tsMs), temperature: latest.temperatureCelsius, humidity: latest.humidityPercent },
    status: status === null ? null : statusSummary(status),
    status_at: isoTimeOrNull(device.statusMs),
  };
}

export function contactAnswer(device: stored.Device, nowMs: number): Contact {
  const { state, heardMs, lateAfterMs, silentAfterMs } = contactOf(device, nowMs);
  return {
    state,
    heard_at: isoTimeOrNull(heardMs),
    late_after_s: lateAfterMs / 1000,
    silent_after_s: silentAfterMs / 1000,
  };
}

export function placementAnswer({ room, fromMs, toMs }: stored.Placement): Placement {
  // 0 means "from the beginning": 1970 would be a lie.
  return { room, from: fromMs === 0 ? null : isoTime(fromMs), to: isoTimeOrNull(toMs) };
}

export function roomAnswer(room: stored.Room): Room {
  const { uid, name, floor, side, homeUid, isOutdoors } = room;
  return { uid, name, floor, side, home_id: homeUid, is_outdoors: isOutdoors };
}

/** What of a device's word is for users; it says more for servers. */
function statusSummary(status: DeviceStatus): DeviceStatusSummary {
  const { version, interval_s, delivery, sensor, journal, clock, config, last_error } = status;
  return {
    ...(version !== undefined && { version }),
    ...(interval_s !== undefined && { interval_s }),
    ...(delivery !== undefined && { delivery }),
    ...(sensor !== undefined && { sensor }),
    ...(journal !== undefined && { journal }),
    ...(clock !== undefined && { clock: { state: clock.state } }),
    ...(config !== undefined && { config }),
    ...(last_error !== undefined && { last_error }),
  };
}
