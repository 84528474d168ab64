import type { HouseState } from './house-state.ts';

/** What a browser can keep; localStorage, or nothing where that is forbidden. */
export interface KeyValue {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
}

/** The last known values, for times without a connection. One house per server address: localStorage belongs to the origin. */
export interface SnapshotStore {
  save(state: HouseState): void;
  /** Undefined where there is none, or it is of another version or damaged. */
  load(): HouseState | undefined;
  forget(): void;
}

/** Counts up whenever HouseState changes its shape: what an older page has kept is then no use. */
const VERSION = 2;

export function createSnapshotStore(storage: KeyValue, base: string): SnapshotStore {
  const key = `techtemp.snapshot:${base}`;
  return {
    save(state) {
      storage.set(key, JSON.stringify({ version: VERSION, state }));
    },
    load() {
      try {
        const kept = JSON.parse(storage.get(key) ?? 'null') as { version?: unknown; state?: HouseState } | null;
        return kept?.version === VERSION && isHouseState(kept.state) ? kept.state : undefined;
      } catch {
        return undefined;
      }
    },
    forget() {
      storage.remove(key);
    },
  };
}

function isHouseState(state: HouseState | undefined): state is HouseState {
  return (
    typeof state === 'object' &&
    typeof state.loadedMs === 'number' &&
    Array.isArray(state.devices) &&
    Array.isArray(state.rooms) &&
    typeof state.latest === 'object' &&
    typeof state.heard === 'object' &&
    typeof state.recent === 'object'
  );
}

/** localStorage that never throws: it may be full, or forbidden by the browser's settings. */
export function openKeyValue(storage: () => Storage): KeyValue {
  const quietly = <T>(action: (opened: Storage) => T, otherwise: T): T => {
    try {
      return action(storage());
    } catch {
      return otherwise;
    }
  };
  return {
    get: (key) => quietly((opened) => opened.getItem(key), null),
    set: (key, value) => quietly((opened) => opened.setItem(key, value), undefined),
    remove: (key) => quietly((opened) => opened.removeItem(key), undefined),
  };
}
