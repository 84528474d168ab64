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
  /** A reading of that hour was changed: its sums are made anew of its readings. */
  recompute(deviceId: number, tsMs: number): void;
  write(): void;
  forget(): void;
}

export function createRollups(db: Database): Rollups {
  const sums = new Map<number, HourSum>();
  const changed = new Map<number, { readonly deviceId: number; readonly hourMs: number }>();
  const upsert = db.prepare<number[]>(`
    INSERT INTO rollups_hourly (device_id, hour_ms, count, temperature_sum, temperature_min, temperature_max,
      humidity_sum, humidity_min, humidity_max) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (device_id, hour_ms) DO UPDATE SET count = count + excluded.count,
      temperature_sum = temperature_sum + excluded.temperature_sum,
      temperature_min = min(temperature_min, excluded.temperature_min),
      temperature_max = max(temperature_max, excluded.temperature_max),
      humidity_sum = humidity_sum + excluded.humidity_sum,
      humidity_min = min(humidity_min, excluded.humidity_min),
      humidity_max = max(humidity_max, excluded.humidity_max)`);
  const replace = db.prepare<[number, number, number, number, number]>(`
    INSERT OR REPLACE INTO rollups_hourly (device_id, hour_ms, count, temperature_sum, temperature_min, temperature_max,
      humidity_sum, humidity_min, humidity_max)
    SELECT ?, ?, count(*), sum(temperature), min(temperature), max(temperature), sum(humidity), min(humidity), max(humidity)
    FROM readings WHERE device_id = ? AND ts_ms >= ? AND ts_ms < ?`);

  return {
    add(deviceId, tsMs, temperature, humidity) {
      const hour = Math.floor(tsMs / HOUR_MS);
      const key = deviceId * HOURS_A_DEVICE + hour;
      const sum = sums.get(key);
      if (sum === undefined) {
        sums.set(key, {
          deviceId,
          hourMs: hour * HOUR_MS,
          count: 1,
          temperatureSum: temperature,
          temperatureMin: temperature,
          temperatureMax: temperature,
          humiditySum: humidity,
          humidityMin: humidity,
          humidityMax: humidity,
        });
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
        upsert.run(
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
      }
      for (const { deviceId, hourMs } of changed.values()) {
        replace.run(deviceId, hourMs, deviceId, hourMs, hourMs + HOUR_MS);
      }
    },
    forget() {
      sums.clear();
      changed.clear();
    },
  };
}
