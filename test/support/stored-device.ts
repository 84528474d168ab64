import type { Device } from '../../src/server/store/stored.ts';

/** A device that the store knows, and that has said nothing yet. */
export function storedDevice(changes: Partial<Device> = {}): Device {
  return {
    uid: 'aht20-0a1b2c',
    homeUid: 'home-001',
    label: null,
    model: null,
    state: 'active',
    room: null,
    createdMs: 0,
    lastSeenMs: null,
    heardMs: null,
    presence: 'online',
    presenceMs: null,
    status: null,
    statusMs: null,
    latest: null,
    ...changes,
  };
}
