import type { Device, Placement, Room } from './stored.ts';

/**
 * Homes, rooms, devices and where they stood. Each call is one transaction. @throws StoreError NOT_FOUND, EXISTS, IN_USE, INVALID
 * with a message for people, besides what any call of the store throws
 */
export interface CatalogueStore {
  /** Sorted by uid; removed devices only when asked for. */
  devices(filter?: { readonly withRemoved?: boolean }): Promise<readonly Device[]>;
  /** Also one that was removed, see its state; undefined where there never was one, or all of it was deleted. */
  device(uid: string): Promise<Device | undefined>;
  /** Provisions devices, all or none; makes rooms that are missing. @throws StoreError EXISTS when one is there (not removed) */
  addDevices(devices: readonly NewDevice[], nowMs: number): Promise<readonly Device[]>;
  /** Approving (`state: 'active'`), refusing, naming, moving; what is absent stays. A label touches no placement. */
  updateDevice(uid: string, change: DeviceChange, nowMs: number): Promise<Device>;
  /**
   * `keep`: the device is removed, its readings and placements stay in the record. `delete`: everything of it goes.
   * @returns how many readings stayed or went
   */
  removeDevice(uid: string, readings: 'keep' | 'delete', nowMs: number): Promise<{ readonly readings: number }>;
  /** Oldest first. */
  placements(deviceUid: string): Promise<readonly Placement[]>;

  rooms(): Promise<readonly Room[]>;
  room(uid: string): Promise<Room | undefined>;
  /** Without a uid it is made of the name. @throws StoreError EXISTS, INVALID */
  addRoom(room: NewRoom): Promise<Room>;
  updateRoom(uid: string, change: RoomChange): Promise<Room>;
  /** @throws StoreError IN_USE while a device stands or stood there */
  removeRoom(uid: string): Promise<void>;
}

/** By uid, by name, or both for a new one (`uid` names it then). A name that no room has makes a room. */
export interface RoomChoice {
  readonly uid?: string;
  readonly name?: string;
}

export interface NewDevice {
  readonly uid: string;
  readonly room?: RoomChoice;
  readonly label?: string;
  readonly model?: string;
}

export interface DeviceChange {
  /** Null: what the device calls itself. */
  readonly label?: string | null;
  /** Null: it stands nowhere from `movedAtMs` on. */
  readonly room?: RoomChoice | null;
  /**
   * From when on it stands in `room`; absent: now, or from the beginning for a device that never stood anywhere. Relabels what was
   * measured since. @throws StoreError INVALID when in the future, or not after the beginning of the present placement
   */
  readonly movedAtMs?: number;
  readonly state?: 'active' | 'refused';
}

export interface NewRoom {
  readonly uid?: string;
  readonly name: string;
  readonly homeUid?: string;
  readonly floor?: string | null;
  readonly side?: string | null;
  readonly isOutdoors?: boolean;
}

export type RoomChange = Partial<Pick<NewRoom, 'name' | 'floor' | 'side' | 'isOutdoors'>>;
