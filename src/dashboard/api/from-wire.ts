import type { Device as WireDevice, Room as WireRoom } from '../../server/http/schemas/devices.ts';
import type {
  LiveEventData,
  Bucket as WireBucket,
  Gap as WireGap,
  Reading as WireReading,
} from '../../server/http/schemas/readings.ts';
import type { ServerInfo, QuarantineSummary as WireQuarantine } from '../../server/http/schemas/record.ts';
import type { Bucket, Device, Gap, Quarantine, Reading, Room, Site } from '../state/model.ts';
import type { LiveChange } from '../state/site-state.ts';
import type { StreamEvent } from './live-stream.ts';

/** Translates answers of the API into the page's model. Typed by the API's schemas: a change there breaks the build here. */

export function readingFromWire({ device_id, ts, temperature, humidity }: WireReading): Reading {
  return { deviceUid: device_id, tsMs: Date.parse(ts), celsius: temperature, percent: humidity };
}

export function bucketFromWire({ from, to, count, temperature, humidity }: WireBucket): Bucket {
  return { fromMs: Date.parse(from), toMs: Date.parse(to), count, temperature, humidity };
}

export function gapFromWire({ device_id, reason, count, from, to, record }: WireGap): Gap {
  return {
    deviceUid: device_id,
    reason,
    count,
    fromMs: msOrNull(from),
    toMs: msOrNull(to),
    tsMs: Date.parse(record.ts),
  };
}

export function deviceFromWire(device: WireDevice): Device {
  return {
    uid: device.uid,
    label: device.label,
    model: device.model,
    state: device.state,
    room: device.room,
    createdMs: Date.parse(device.created_at),
    lastSeenMs: msOrNull(device.last_seen_at),
    presence: device.presence,
    presenceMs: msOrNull(device.presence_at),
    contact: {
      heardMs: msOrNull(device.contact.heard_at),
      lateAfterMs: device.contact.late_after_s * 1000,
      silentAfterMs: device.contact.silent_after_s * 1000,
    },
    status: device.status,
    statusMs: msOrNull(device.status_at),
    latest: device.latest && {
      deviceUid: device.uid,
      tsMs: Date.parse(device.latest.ts),
      celsius: device.latest.temperature,
      percent: device.latest.humidity,
    },
  };
}

export function quarantineFromWire({ waiting, clock_problem, devices }: WireQuarantine): Quarantine {
  return {
    waiting,
    clockProblem: clock_problem,
    devices: devices.map(({ device_id, count }) => ({ deviceUid: device_id, count })),
  };
}

export function roomFromWire({ uid, name, floor, is_outdoors }: WireRoom): Room {
  return { uid, name, floor, isOutdoors: is_outdoors };
}

/** Where reading needs a token, the server does not send its name without one. */
export function siteFromWire({ name = '', version = '', time_zone = 'UTC', writing, rights }: ServerInfo): Site {
  return { name, version, timeZone: time_zone, needsTokenToWrite: writing === 'token', maySend: rights };
}

/** Undefined for events that this page does not know (a newer server) and for heartbeats. */
export function changeFromWire({ type, data }: StreamEvent): LiveChange | undefined {
  switch (type) {
    case 'reading': {
      const reading = JSON.parse(data) as LiveEventData['reading'];
      return { kind: 'reading', reading: readingFromWire(reading), receivedMs: Date.parse(reading.received_at) };
    }
    case 'history': {
      const { device_id, from, to } = JSON.parse(data) as LiveEventData['history'];
      return { kind: 'history', deviceUid: device_id, fromMs: Date.parse(from), toMs: Date.parse(to) };
    }
    case 'device':
      return { kind: 'device', deviceUid: (JSON.parse(data) as LiveEventData['device']).device_id };
    case 'gap':
      return { kind: 'gap', deviceUid: (JSON.parse(data) as LiveEventData['gap']).device_id };
    case 'rejected':
      return { kind: 'rejected' };
    case 'resync':
      return { kind: 'resync' };
    default:
      return undefined;
  }
}

function msOrNull(text: string | null): number | null {
  return text === null ? null : Date.parse(text);
}
