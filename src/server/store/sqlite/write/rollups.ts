import type { Database } from '../database.ts';

export const HOUR_MS = 3_600_000;
/** Hours since 1970 until the year 9999 have eight digits: a device's id and an hour are one exact number. */
const HOURS_A_DEVICE = 1e8;

/** What a batch adds to one hour of one device. */
interface HourSum {
  readonly deviceId: number;
  readonly hourMs: number;
  count: number;
  temperatureSum: number;
  temperatureMin: number;
  temperatureMax: number;
  humiditySum: number;
  humidityMin: number;
  humidityMax: number;
}

/** Keeps the hourly roll-ups in step with the readings: collects during a batch, writes once per device and hour at its end. */
export interface Rollups {
  add(deviceId: number, tsMs: number, temperature: number, humidity: number): void;
  /** A reading of that hour was changed: its sums are calculated again from its readings. */
  recompute(deviceId: number, tsMs: number): void;
  write(): void;
  /** What was collected; call at the end of each batch. */
  forget(): void;
  /** What it believes to lie in the table; call when that was rolled back, or changed by others. */
  forgetStored(): void;
}

export function createRollups(db: Database): Rollups {
  const sums = new Map<number, HourSum>();
  /** The hour of the reading before: most come in order. */
  let last: HourSum | undefined;
  const changed = new Map<number, { readonly deviceId: number; readonly hourMs: number }>();
  /** By device: its latest hour as it lies in the table. Writing it whole costs 0.6 of letting SQLite add to it. */
  const stored = new Map<number, HourSum>();
  const select = db.prepare<[number, number], HourSum>(`
    SELECT device_id AS deviceId, hour_ms AS hourMs, count, temperature_sum AS temperatureSum,
      temperature_min AS temperatureMin, temperature_max AS temperatureMax, humidity_sum AS humiditySum,
      humidity_min AS humidityMin, humidity_max AS humidityMax
    FROM rollups_hourly WHERE device_id = ? AND hour_ms = ?`);
  const replace = db.prepare<number[]>(`
    INSERT OR REPLACE INTO rollups_hourly (device_id, hour_ms, count, temperature_sum, temperature_min, temperature_max,
      humidity_sum, humidity_min, humidity_max) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const makeAnew = db.prepare<[number, number, number, number, number]>(`
    INSERT OR REPLACE INTO rollups_hourly (device_id, hour_ms, count, temperature_sum, temperature_min, temperature_max,
      humidity_sum, humidity_min, humidity_max)
    SELECT ?, ?, count(*), sum(temperature), min(temperature), max(temperature), sum(humidity), min(humidity), max(humidity)
    FROM readings WHERE device_id = ? AND ts_ms >= ? AND ts_ms < ?`);

  return {
    add(deviceId, tsMs, temperature, humidity) {
      const isSame = last?.deviceId === deviceId && tsMs >= last.hourMs && tsMs < last.hourMs + HOUR_MS;
      const hour = Math.floor(tsMs / HOUR_MS);
      const sum = isSame ? last : sums.get(deviceId * HOURS_A_DEVICE + hour);
      last = sum;
      if (sum === undefined) {
        last = {
          deviceId,
          hourMs: hour * HOUR_MS,
          count: 1,
          temperatureSum: temperature,
          temperatureMin: temperature,
          temperatureMax: temperature,
          humiditySum: humidity,
          humidityMin: humidity,
          humidityMax: humidity,
        };
        sums.set(deviceId * HOURS_A_DEVICE + hour, last);
        return;
      }
      sum.count += 1;
      sum.temperatureSum += temperature;
      sum.humiditySum += humidity;
      if (temperature < sum.temperatureMin) sum.temperatureMin = temperature;
      if (temperature > sum.temperatureMax) sum.temperatureMax = temperature;
      if (humidity < sum.humidityMin) sum.humidityMin = humidity;
      if (humidity > sum.humidityMax) sum.humidityMax = humidity;
    },
    recompute(deviceId, tsMs) {
      const hour = Math.floor(tsMs / HOUR_MS);
      changed.set(deviceId * HOURS_A_DEVICE + hour, { deviceId, hourMs: hour * HOUR_MS });
    },
    write() {
      for (const [key, sum] of sums) {
        if (changed.has(key)) continue;
        const latest = stored.get(sum.deviceId);
        const before = latest?.hourMs === sum.hourMs ? latest : select.get(sum.deviceId, sum.hourMs);
        if (before !== undefined) merge(sum, before);
        replace.run(
          sum.deviceId,
          sum.hourMs,
          sum.count,
          sum.temperatureSum,
          sum.temperatureMin,
          sum.temperatureMax,
          sum.humiditySum,
          sum.humidityMin,
          sum.humidityMax,
        );
        if (latest === undefined || sum.hourMs >= latest.hourMs) stored.set(sum.deviceId, sum);
      }
      for (const { deviceId, hourMs } of changed.values()) {
        makeAnew.run(deviceId, hourMs, deviceId, hourMs, hourMs + HOUR_MS);
        stored.delete(deviceId);
      }
    },
    forget() {
      sums.clear();
      last = undefined;
      changed.clear();
    },
    forgetStored: () => stored.clear(),
  };
}

/** Adds what lies in the table to what comes. */
function merge(sum: HourSum, before: HourSum): void {
  sum.count += before.count;
  sum.temperatureSum += before.temperatureSum;
  sum.humiditySum += before.humiditySum;
  sum.temperatureMin = Math.min(sum.temperatureMin, before.temperatureMin);
  sum.temperatureMax = Math.max(sum.temperatureMax, before.temperatureMax);
  sum.humidityMin = Math.min(sum.humidityMin, before.humidityMin);
  sum.humidityMax = Math.max(sum.humidityMax, before.humidityMax);
}
