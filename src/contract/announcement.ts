import { isId } from './ids.ts';
import { asRecord, parseJson, WireError } from './json.ts';

/** What a server says of itself, retained on `techtemp/server/{instance}`; its will says offline. */
export interface Announcement {
  readonly state: 'online' | 'offline';
  readonly accepts: readonly ServerAbility[];
  /** The identity of the record that receipts come from; older servers do not tell it. Another one is another record. */
  readonly record?: string;
}

/** `batch`: takes arrays on `backlog`. `receipt`: confirms what it has stored. */
export type ServerAbility = 'batch' | 'receipt';

/** `{"state":"online","accepts":["batch","receipt"],"record":"0f8c…"}` */
export function encodeAnnouncement(announcement: Announcement): string {
  return JSON.stringify(announcement);
}

/** Unknown abilities, and a record that cannot be an identity, are ignored: newer servers are understood. @throws WireError */
export function decodeAnnouncement(text: string): Announcement {
  const said = asRecord(parseJson(text), 'an announcement');
  const state = said['state'];
  if (state !== 'online' && state !== 'offline') throw new WireError('WIRE_SCHEMA', 'state must be online or offline');
  const accepts: readonly unknown[] = Array.isArray(said['accepts']) ? said['accepts'] : [];
  const record = said['record'];
  return {
    state,
    accepts: (['batch', 'receipt'] as const).filter((ability) => accepts.includes(ability)),
    ...(typeof record === 'string' && isId(record) && { record }),
  };
}
