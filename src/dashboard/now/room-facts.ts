import type { Zone } from '../../calendar/local-time.ts';
import { absoluteHumidityGramsPerCubicMetre, dewPointCelsius } from '../../contract/climate.ts';
import {
  type ComfortWord,
  coldCornerCelsius,
  comfortWord,
  type Humidex,
  humidex,
  type MouldHint,
  mouldBelowCelsius,
  mouldHint,
} from '../comfort.ts';
import { type Device, type DeviceHealth, healthOf, intervalMs, type Reading } from '../state/model.ts';
import { type SiteState, summaryOf } from '../state/site-state.ts';
import { type Point, type Trend, trendOf } from '../state/snapshot.ts';

/** Everything that a card shows about one device. */
export interface RoomFacts {
  readonly device: Device;
  /** The room's name, else what the device is called. */
  readonly title: string;
  /** Which device, where the title alone is not enough. */
  readonly subtitle: string | null;
  readonly isOutdoors: boolean;
  readonly health: DeviceHealth;
  readonly reading: Reading | null;
  /** When a reading last came, and how long ago. */
  readonly heardMs: number | null;
  readonly ageMs: number | null;
  readonly intervalMs: number;
  readonly points: readonly Point[];
  readonly trend: Trend | null;
  readonly today: { readonly min: number; readonly max: number } | null;
  readonly comfort: Comfort | null;
}

export interface Comfort {
  readonly word: ComfortWord;
  readonly dewPoint: number | null;
  readonly absoluteHumidity: number;
  readonly humidex: Humidex | null;
  /** From means over a day; null where those are not known yet. */
  readonly mouldBelow: number | null;
  /** Known only if a device of the house is outdoors. */
  readonly mould: MouldHint | null;
}

/** A smaller change in three hours is noise of the sensor, or a fridge nearby. */
const STEADY_KELVIN = 0.25;

/** Of every device that is in service, by room and name; what stands outdoors last. */
export function factsOf(state: SiteState, nowMs: number, zone: Zone): RoomFacts[] {
  const startOfDayMs = zone.startOfDay(nowMs);
  const outdoorMean = meanOutdoors(state, startOfDayMs);
  const active = state.devices.filter((device) => device.state === 'active');
  const facts = active.map((device): RoomFacts => {
    const reading = state.latest[device.uid] ?? null;
    const heardMs = state.heard[device.uid] ?? null;
    const buckets = state.recent[device.uid] ?? [];
    const { today, mean } = summaryOf(buckets, startOfDayMs);
    const isOutdoors = state.rooms.some(({ uid, isOutdoors: out }) => out && uid === device.room?.uid);
    const points = pointsOf(buckets, reading);
    const shares = active.filter(({ room }) => room !== null && room.uid === device.room?.uid).length > 1;
    const own = device.label ?? device.uid;
    return {
      device,
      title: device.room?.name ?? own,
      subtitle:
        shares || (device.label !== null && device.room !== null && device.label !== device.room.name) ? own : null,
      isOutdoors,
      health: healthOf(device, heardMs, nowMs),
      reading,
      heardMs,
      ageMs: reading === null || heardMs === null ? null : Math.max(0, nowMs - heardMs),
      intervalMs: intervalMs(device),
      points,
      trend: trendOf(points, nowMs, STEADY_KELVIN),
      today: reading === null ? today : withValue(today, reading, startOfDayMs),
      comfort: reading === null || isOutdoors ? null : comfortOf(reading, mean, outdoorMean),
    };
  });
  return facts.sort(
    (a, b) =>
      Number(a.isOutdoors) - Number(b.isOutdoors) ||
      a.title.localeCompare(b.title) ||
      (a.device.uid < b.device.uid ? -1 : 1),
  );
}

function comfortOf(
  { celsius, percent }: Reading,
  mean: { readonly celsius: number; readonly percent: number } | null,
  outdoorCelsius: number | null,
): Comfort {
  return {
    word: comfortWord(celsius, percent),
    dewPoint: dewPointCelsius(celsius, percent),
    absoluteHumidity: absoluteHumidityGramsPerCubicMetre(celsius, percent),
    humidex: humidex(celsius, percent),
    mouldBelow: mean === null ? null : mouldBelowCelsius(mean.celsius, mean.percent),
    mould:
      mean === null || outdoorCelsius === null
        ? null
        : mouldHint(mean.celsius, mean.percent, coldCornerCelsius(mean.celsius, outdoorCelsius)),
  };
}

function meanOutdoors({ devices, rooms, recent }: SiteState, startOfDayMs: number): number | null {
  const outdoors = new Set(rooms.filter(({ isOutdoors }) => isOutdoors).map(({ uid }) => uid));
  for (const { uid, room, state } of devices) {
    const { mean } = summaryOf(recent[uid] ?? [], startOfDayMs);
    if (state === 'active' && room !== null && outdoors.has(room.uid) && mean !== null) return mean.celsius;
  }
  return null;
}

function pointsOf(buckets: SiteState['recent'][string], reading: Reading | null): Point[] {
  const points = buckets.flatMap(({ fromMs, toMs, temperature }) =>
    temperature === null ? [] : [{ tsMs: Math.round((fromMs + toMs) / 2), value: temperature.avg }],
  );
  const before = reading === null ? points : points.filter(({ tsMs }) => tsMs < reading.tsMs);
  return reading === null ? before : [...before, { tsMs: reading.tsMs, value: reading.celsius }];
}

function withValue(today: RoomFacts['today'], { tsMs, celsius }: Reading, startOfDayMs: number): RoomFacts['today'] {
  if (tsMs < startOfDayMs) return today;
  return { min: Math.min(today?.min ?? celsius, celsius), max: Math.max(today?.max ?? celsius, celsius) };
}
