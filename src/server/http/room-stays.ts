import type { CatalogueStore } from '../store/catalogue-store.ts';
import type { Source } from './sources.ts';
import type { TimeRange } from './time-range.ts';

/** A device, and from when to when what it measured belongs to a source. */
export interface Stay extends TimeRange {
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
): Promise<readonly (readonly Stay[])[]> {
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
