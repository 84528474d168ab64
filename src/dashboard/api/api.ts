import type {
  Device as WireDevice,
  DeviceChange as WireDeviceChange,
  Placement as WirePlacement,
  Room as WireRoom,
  RoomChange as WireRoomChange,
} from '../../server/http/schemas/devices.ts';
import type { Gap as WireGap, Series as WireSeries } from '../../server/http/schemas/readings.ts';
import type {
  RejectedMessage,
  ServerInfo,
  Verdict,
  QuarantineSummary as WireQuarantine,
} from '../../server/http/schemas/record.ts';
import type { Resolution, SourceKey, TimeRange } from '../history/range.ts';
import type { Bucket, Device, Gap, Quarantine, Room, Site } from '../state/model.ts';
import type { ApiClient } from './api-client.ts';
import {
  bucketFromWire,
  deviceFromWire,
  gapFromWire,
  quarantineFromWire,
  roomFromWire,
  siteFromWire,
} from './from-wire.ts';

/** The requests that the page makes. All reject with ApiError, or with the signal's reason. */
export interface Api {
  site(signal: AbortSignal): Promise<Site>;
  /** Also pending and refused ones. */
  devices(signal: AbortSignal): Promise<readonly Device[]>;
  rooms(signal: AbortSignal): Promise<readonly Room[]>;
  /** Hour by hour, by device. */
  recent(
    deviceUids: readonly string[],
    range: TimeRange,
    timeZone: string | undefined,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, readonly Bucket[]>>>;
  series(question: SeriesQuestion, signal: AbortSignal): Promise<Series>;
  /** Whether readings are missing; without a range: in all of the record. */
  verdict(range: TimeRange | undefined, signal: AbortSignal): Promise<Verdict>;
  readonly gaps: AskPage<Gap>;
  readonly rejected: AskPage<RejectedMessage>;
  quarantine(signal: AbortSignal): Promise<Quarantine>;
  /** Stores all readings of the device that are on hold, with the times they have. */
  releaseQuarantine(deviceUid: string): Promise<void>;
  placements(deviceUid: string, signal: AbortSignal): Promise<readonly Placement[]>;
  changeDevice(uid: string, change: DeviceChange): Promise<void>;
  removeDevice(uid: string, readings: 'keep' | 'delete'): Promise<void>;
  changeRoom(uid: string, change: { readonly isOutdoors: boolean }): Promise<void>;
}

export type AskPage<T> = (page: PageQuestion, signal: AbortSignal) => Promise<Page<T>>;

export interface SeriesQuestion {
  readonly sources: readonly SourceKey[];
  readonly range: TimeRange;
  readonly bucket: Resolution;
  readonly timeZone: string;
}

export interface Series {
  readonly bucket: Resolution;
  readonly sources: readonly SeriesSource[];
}

export interface SeriesSource {
  readonly key: SourceKey;
  readonly buckets: readonly Bucket[];
  readonly gaps: readonly Gap[];
  readonly hasMoreGaps: boolean;
}

export interface PageQuestion {
  readonly deviceUid?: string;
  readonly after?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

export interface Placement {
  readonly roomName: string;
  /** Null: from the beginning. */
  readonly fromMs: number | null;
  /** Null: until now. */
  readonly toMs: number | null;
}

export interface DeviceChange {
  /** Null: the name that the device sends. */
  readonly label?: string | null;
  readonly room?: { readonly uid: string } | { readonly name: string } | null;
  readonly movedAtMs?: number;
  readonly state?: 'active' | 'refused';
}

interface Data<T> {
  readonly data: T;
}
interface DataPage<T> extends Data<readonly T[]> {
  readonly next?: string;
}

const PAGE_SIZE = 50;
/** How many sources one request may name: MAX_SOURCES of the API. */
const SOURCES_AT_ONCE = 50;

export function createApi(client: ApiClient): Api {
  const data = async <T>(path: string, signal: AbortSignal): Promise<T> =>
    (await client.json<Data<T>>(path, { signal })).data;

  const series: Api['series'] = async ({ sources, range, bucket, timeZone }, signal) => {
    const query = {
      ...sourcesQuery(sources),
      from: new Date(range.fromMs).toISOString(),
      to: new Date(range.toMs).toISOString(),
      bucket,
      tz: timeZone,
    };
    const { data: answer } = await client.json<Data<WireSeries>>('series', { query, signal });
    return {
      bucket,
      sources: answer.sources.map((source) => ({
        key: `${source.kind}:${source.uid}`,
        buckets: source.buckets.map(bucketFromWire),
        gaps: source.gaps.map(gapFromWire),
        hasMoreGaps: source.has_more_gaps,
      })),
    };
  };

  const page = async <W>(path: string, { deviceUid, after }: PageQuestion, signal: AbortSignal): Promise<Page<W>> => {
    const query = { device: deviceUid, after, limit: PAGE_SIZE };
    const answer = await client.json<DataPage<W>>(path, { query, signal });
    return { items: answer.data, next: answer.next };
  };

  return {
    series,
    site: async (signal) => siteFromWire(await data<ServerInfo>('server', signal)),
    devices: async (signal) => (await data<WireDevice[]>('devices', signal)).map(deviceFromWire),
    rooms: async (signal) => (await data<WireRoom[]>('rooms', signal)).map(roomFromWire),
    async recent(deviceUids, range, timeZone = 'UTC', signal) {
      const found: Record<string, readonly Bucket[]> = {};
      for (let first = 0; first < deviceUids.length; first += SOURCES_AT_ONCE) {
        const sources = deviceUids.slice(first, first + SOURCES_AT_ONCE).map((uid): SourceKey => `device:${uid}`);
        const answer = await series({ sources, range, bucket: '1h', timeZone }, signal);
        for (const { key, buckets } of answer.sources) {
          // The hour that is not over ends now.
          const ended = buckets.map((bucket) => ({ ...bucket, toMs: Math.min(bucket.toMs, range.toMs) }));
          found[key.slice('device:'.length)] = ended.filter(({ count }) => count > 0);
        }
      }
      return found;
    },
    async verdict(range, signal) {
      const query = range && { from: new Date(range.fromMs).toISOString(), to: new Date(range.toMs).toISOString() };
      return (await client.json<Data<Verdict>>('verdict', { ...(query && { query }), signal })).data;
    },
    async gaps(question, signal) {
      const { items, next } = await page<WireGap>('gaps', question, signal);
      return { items: items.map(gapFromWire), next };
    },
    quarantine: async (signal) => quarantineFromWire(await data<WireQuarantine>('quarantine/summary', signal)),
    async releaseQuarantine(device) {
      await client.open('quarantine/release', { method: 'POST', body: { device } });
    },
    rejected: (question, signal) => page<RejectedMessage>('rejected', question, signal),
    async placements(deviceUid, signal) {
      const found = await data<WirePlacement[]>(`devices/${encodeURIComponent(deviceUid)}/placements`, signal);
      return found.map(({ room, from, to }) => ({
        roomName: room.name,
        fromMs: from === null ? null : Date.parse(from),
        toMs: to === null ? null : Date.parse(to),
      }));
    },
    async changeDevice(uid, { label, room, movedAtMs, state }) {
      const body: WireDeviceChange = {
        ...(label !== undefined && { label }),
        ...(room === null && { room_name: null }),
        ...(room !== undefined && room !== null && ('uid' in room ? { room_uid: room.uid } : { room_name: room.name })),
        ...(movedAtMs !== undefined && { moved_at: new Date(movedAtMs).toISOString() }),
        ...(state !== undefined && { state }),
      };
      await client.open(`devices/${encodeURIComponent(uid)}`, { method: 'PUT', body });
    },
    async removeDevice(uid, readings) {
      await client.open(`devices/${encodeURIComponent(uid)}`, { method: 'DELETE', query: { readings } });
    },
    async changeRoom(uid, { isOutdoors }) {
      const body: WireRoomChange = { is_outdoors: isOutdoors };
      await client.open(`rooms/${encodeURIComponent(uid)}`, { method: 'PUT', body });
    },
  };
}

function sourcesQuery(sources: readonly SourceKey[]): { readonly device: string[]; readonly room: string[] } {
  const uids = (kind: 'device' | 'room'): string[] =>
    sources.filter((key) => key.startsWith(`${kind}:`)).map((key) => key.slice(kind.length + 1));
  return { device: uids('device'), room: uids('room') };
}
