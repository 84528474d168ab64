import type { CatalogueStore } from '../store/catalogue-store.ts';
import type { ReadingScope } from '../store/reading-store.ts';
import { deviceNotFound, invalidField, roomNotFound } from './api-error.ts';

type Catalogue = Pick<CatalogueStore, 'device' | 'room'>;

/** A device, a room, or all of the record. @throws ApiError when both are named, or what is named does not exist */
export async function scopeOf(
  store: Catalogue,
  { device, room }: { readonly device?: string; readonly room?: string },
): Promise<ReadingScope> {
  if (device !== undefined && room !== undefined) {
    throw invalidField('room', 'cannot be asked for together with "device"; ask twice, or leave both away for all');
  }
  if (device !== undefined) {
    if ((await store.device(device)) === undefined) throw deviceNotFound(device);
    return { deviceUid: device };
  }
  if (room !== undefined) {
    if ((await store.room(room)) === undefined) throw roomNotFound(room);
    return { roomUid: room };
  }
  return 'all';
}
