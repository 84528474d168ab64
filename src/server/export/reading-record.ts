import type { Reading } from '../http/schemas/readings.ts';
import type { StoredReading } from '../store/stored.ts';

/** A reading as the API, the live feed and exported files give it. */
export function toReadingRecord(stored: StoredReading): Reading {
  return {
    device_id: stored.deviceUid,
    room_id: stored.roomUid,
    ts: new Date(stored.tsMs).toISOString(),
    temperature: stored.temperatureCelsius,
    humidity: stored.humidityPercent,
    epoch: stored.epoch,
    seq: stored.seq,
    ...(stored.isUnsynced && { clock: 'unsynced' as const }),
    ...(stored.isOnDemand && { trigger: 'command' as const }),
  };
}
