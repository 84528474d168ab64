import type { LocalDay } from '../../calendar/buckets.ts';
import type { DeviceStatus, StatusOfMqtt } from '../../contract/status.ts';
import { contactOf } from '../contact.ts';
import type { Bucket, CatalogueStore, ReadingScope, ReadingStore } from '../store/store.ts';
import type * as stored from '../store/stored.ts';
import type { StoredGap } from '../store/stored.ts';
import { edgesWithin, isoTime, isoTimeOrNull, type Source, type TimeRange } from './query.ts';
import type { Contact, Device, DeviceStatusSummary, Placement, Room } from './schemas/devices.ts';
import type { DayStatistics, Gap } from './schemas/readings.ts';

/** Something under way that can be told to end. */
export type EndAnswer = () => void;

export interface OpenAnswers {
  /** @returns what takes it off the list again */
  add(end: EndAnswer): () => void;
}

/**
 * Answers that are told when the server closes. One listener on the signal for all: AbortSignal warns of a leak when more than ten
 * wait on it.
 */
export function createOpenAnswers(closing: AbortSignal): OpenAnswers {
  const open = new Set<EndAnswer>();
  closing.addEventListener(
    'abort',
    () => {
      for (const end of [...open]) end();
    },
    { once: true },
  );
  return {
    add(end) {
      // Of its own, so that the same function twice is two.
      const entry: EndAnswer = () => end();
      open.add(entry);
      if (closing.aborted) entry();
      return () => open.delete(entry);
    },
  };
}

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
  const { version, interval_s, delivery, sensor, journal, clock, mqtt, config, last_error } = status;
  return {
    ...(version !== undefined && { version }),
    ...(interval_s !== undefined && { interval_s }),
    ...(delivery !== undefined && { delivery }),
    ...(sensor !== undefined && { sensor }),
    ...(journal !== undefined && { journal }),
    ...(clock !== undefined && { clock: { state: clock.state } }),
    ...(mqtt !== undefined && { mqtt: mqttAnswer(mqtt) }),
    ...(config !== undefined && { config }),
    ...(last_error !== undefined && { last_error }),
  };
}

/** With lists of its own: those of a status are read-only. */
function mqttAnswer({ left_out, servers, problems, ...rest }: StatusOfMqtt): NonNullable<DeviceStatusSummary['mqtt']> {
  return {
    ...rest,
    ...(left_out !== undefined && { left_out: [...left_out] }),
    ...(servers !== undefined && { servers: [...servers] }),
    ...(problems !== undefined && { problems: [...problems] }),
  };
}

export function toGapRecord(gap: StoredGap): Gap {
  return {
    device_id: gap.deviceUid,
    epoch: gap.ofEpoch,
    from_seq: gap.fromSeq,
    to_seq: gap.toSeq,
    count: gap.count,
    reason: gap.reason,
    from: isoTimeOrNull(gap.fromTsMs),
    to: isoTimeOrNull(gap.toTsMs),
    record: { epoch: gap.epoch, seq: gap.seq, ts: isoTime(gap.tsMs) },
    ...(gap.dismissal && { dismissal: { reason: gap.dismissal.reason, at: isoTime(gap.dismissal.atMs) } }),
  };
}

/** A device, and from when to when what it measured belongs to a source. */
export interface PlacementTimes extends TimeRange {
  readonly deviceUid: string;
}

/**
 * Whose readings a source has within a range: a device's own, or those of whatever stood in a room, for as long as it stood there.
 * Removed devices too: what they measured stays.
 */
export async function staysOf(
  store: CatalogueStore,
  sources: readonly Source[],
  range: TimeRange,
): Promise<readonly (readonly PlacementTimes[])[]> {
  const placements = sources.some(({ kind }) => kind === 'room') ? await allPlacements(store) : [];
  return sources.map(({ kind, uid }) =>
    kind === 'device'
      ? [{ deviceUid: uid, ...range }]
      : placements
          .filter(({ room }) => room.uid === uid)
          .map(({ deviceUid, fromMs, toMs }) => ({
            deviceUid,
            fromMs: Math.max(fromMs, range.fromMs),
            toMs: Math.min(toMs ?? range.toMs, range.toMs),
          }))
          .filter(({ fromMs, toMs }) => fromMs < toMs),
  );
}

async function allPlacements(store: CatalogueStore) {
  const devices = await store.devices({ withRemoved: true });
  return (await Promise.all(devices.map(({ uid }) => store.placements(uid)))).flat();
}

/** What a source gave on each of some days (at least one), which follow each other. */
export async function dayStatistics(
  store: ReadingStore,
  { kind, uid, scope }: Source,
  stays: readonly PlacementTimes[],
  days: readonly LocalDay[],
  nowMs: number,
): Promise<DayStatistics[]> {
  const edges = [...days.map(({ fromMs }) => fromMs), days.at(-1)?.toMs ?? 0];
  const buckets = await store.buckets(scope, edges);
  const expected = await expectedByDay(store, stays, days, nowMs);
  return Promise.all(
    days.map(async ({ name, fromMs, toMs }, index): Promise<DayStatistics> => {
      const { count = 0, temperature = null, humidity = null }: Partial<Bucket> = buckets[index] ?? {};
      const due = expected[index] ?? null;
      const [firstMs, lastMs] = count === 0 ? [null, null] : await endsOf(store, scope, fromMs, toMs);
      return {
        kind,
        uid,
        date: name,
        from: isoTime(fromMs),
        to: isoTime(toMs),
        received: count,
        expected: due,
        missing: due === null ? null : Math.max(0, due - count),
        first: isoTimeOrNull(firstMs),
        last: isoTimeOrNull(lastMs),
        temperature,
        humidity,
      };
    }),
  );
}

/**
 * What was due of all devices together, each for as long as it stood there; null on a day on which this is not
 * known of one of them, or no device stood there: then it cannot be said that something is missing.
 */
async function expectedByDay(
  store: ReadingStore,
  stays: readonly PlacementTimes[],
  days: readonly LocalDay[],
  nowMs: number,
): Promise<readonly (number | null)[]> {
  const sums: (number | null | undefined)[] = days.map(() => undefined);
  for (const stay of stays) {
    const edges = edgesWithin([...days.map(({ fromMs }) => fromMs), days.at(-1)?.toMs ?? 0], stay);
    const due = await store.expected(stay.deviceUid, edges, nowMs);
    for (const [index, count] of due.entries()) {
      const day = days.findIndex(({ toMs }) => (edges[index] ?? toMs) < toMs);
      const sum = sums[day];
      sums[day] = count === null || sum === null ? null : (sum ?? 0) + count;
    }
  }
  return sums.map((sum) => sum ?? null);
}

async function endsOf(
  store: Pick<ReadingStore, 'readings'>,
  scope: ReadingScope,
  fromMs: number,
  toMs: number,
): Promise<readonly [firstMs: number | null, lastMs: number | null]> {
  const at = async (order: 'oldest-first' | 'newest-first'): Promise<number | null> =>
    (await store.readings({ scope, fromMs, toMs, order, limit: 1 })).readings[0]?.tsMs ?? null;
  return [await at('oldest-first'), await at('newest-first')];
}
