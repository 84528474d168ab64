import { asRecord, parseJson, WireError } from './json.ts';

/** What a server says of itself, retained on `techtemp/server/{instance}`; its will says offline. */
export interface Announcement {
  readonly state: 'online' | 'offline';
  readonly accepts: readonly ServerAbility[];
}

/** `batch`: takes arrays on `backlog`. `receipt`: confirms what it has stored. */
export type ServerAbility = 'batch' | 'receipt';

/** `{"state":"online","accepts":["batch","receipt"]}` */
export function encodeAnnouncement(announcement: Announcement): string {
  return JSON.stringify(announcement);
}

/** Unknown abilities are ignored, so that newer servers are understood. @throws WireError */
export function decodeAnnouncement(text: string): Announcement {
  const record = asRecord(parseJson(text), 'an announcement');
  const state = record['state'];
  if (state !== 'online' && state !== 'offline') throw new WireError('WIRE_SCHEMA', 'state must be online or offline');
  const accepts: readonly unknown[] = Array.isArray(record['accepts']) ? record['accepts'] : [];
  return { state, accepts: (['batch', 'receipt'] as const).filter((ability) => accepts.includes(ability)) };
}
