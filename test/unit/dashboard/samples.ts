import type { Bucket, Device, Reading } from '../../../src/dashboard/state/model.ts';

/** A device of which nothing special is to be said. */
export function device(uid: string, given: Partial<Device> = {}): Device {
  return {
    uid,
    label: null,
    model: null,
    state: 'active',
    room: null,
    createdMs: 0,
    lastSeenMs: null,
    presence: 'online',
    presenceMs: null,
    contact: { heardMs: null, lateAfterMs: 630_000, silentAfterMs: 1_830_000 },
    status: null,
    statusMs: null,
    latest: null,
    ...given,
  };
}

export function sensor(state: 'ok' | 'fault') {
  return { state, description: 'AHT20 at 0x38', failures: 0, crc_errors: 0, missed: 0 };
}

export function reading(deviceUid: string, tsMs: number, celsius = 20, percent = 50): Reading {
  return { deviceUid, tsMs, celsius, percent };
}

export function bucket(fromMs: number, toMs: number, celsius: number, spread = 0): Bucket {
  const of = (value: number) => ({ min: value - spread, avg: value, max: value + spread });
  return { fromMs, toMs, count: 1, temperature: of(celsius), humidity: of(50) };
}
