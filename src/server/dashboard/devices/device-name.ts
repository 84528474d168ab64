import type { Device } from '../state/model.ts';

/** Where it stands and what it is called; its uid where nobody has said either. */
export function nameOf({ label, room, uid }: Device): string {
  if (room !== null && label !== null && label !== room.name) return `${room.name} · ${label}`;
  return room?.name ?? label ?? uid;
}
