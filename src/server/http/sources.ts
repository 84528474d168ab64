import type { CatalogueStore } from '../store/catalogue-store.ts';
import type { ReadingScope } from '../store/reading-store.ts';
import { deviceNotFound, invalidField, roomNotFound } from './api-error.ts';
import { MAX_SOURCES } from './schemas/series.ts';

/** A device or room whose values were asked for. */
export interface Source {
  readonly kind: 'device' | 'room';
  readonly uid: string;
  readonly name: string | null;
  readonly scope: ReadingScope;
}

export interface SourcesQuery {
  readonly device?: readonly string[];
  readonly room?: readonly string[];
}

/**
 * Devices, then rooms, each as often as it was named but once; where none was named, all devices that are neither refused nor removed.
 * @throws ApiError for the first that does not exist, and when there are too many
 */
export async function sourcesOf(
  store: CatalogueStore,
  { device = [], room = [] }: SourcesQuery,
): Promise<readonly Source[]> {
  const sources = device.length + room.length === 0 ? await allDevices(store) : await named(store, device, room);
  if (sources.length > MAX_SOURCES) {
    throw invalidField(
      'device',
      `and "room" may name ${MAX_SOURCES} sources at once, found ${sources.length}; ask in turns`,
    );
  }
  return sources;
}

async function named(
  store: CatalogueStore,
  devices: readonly string[],
  rooms: readonly string[],
): Promise<readonly Source[]> {
  const ofDevices = [...new Set(devices)].map(async (uid) => {
    const device = await store.device(uid);
    if (device === undefined) throw deviceNotFound(uid);
    return deviceSource(uid, device.label);
  });
  const ofRooms = [...new Set(rooms)].map(async (uid): Promise<Source> => {
    const room = await store.room(uid);
    if (room === undefined) throw roomNotFound(uid);
    return { kind: 'room', uid, name: room.name, scope: { roomUid: uid } };
  });
  return Promise.all([...ofDevices, ...ofRooms]);
}

async function allDevices(store: CatalogueStore): Promise<readonly Source[]> {
  const devices = await store.devices();
  return devices.filter(({ state }) => state !== 'refused').map(({ uid, label }) => deviceSource(uid, label));
}

function deviceSource(uid: string, name: string | null): Source {
  return { kind: 'device', uid, name, scope: { deviceUid: uid } };
}
