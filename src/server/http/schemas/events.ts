import { type Static, Type } from 'typebox';
import { Query } from './query.ts';
import type { Reading } from './readings.ts';

/** The `data` of each kind of event on `GET /api/v1/events`. The kind is the event's name. */
export interface LiveEventData {
  /** The newest reading of its device. */
  readonly reading: Reading & { readonly received_at: string };
  /** Older readings were added or corrected: ask for this stretch again. */
  readonly history: { readonly device_id: string; readonly from: string; readonly to: string; readonly count: number };
  /** Registered, renamed, moved, other status or presence: ask for the device again. */
  readonly device: { readonly device_id: string };
  readonly gap: { readonly device_id: string };
  readonly rejected: { readonly count: number };
  /** The feed no longer knows what was missed: ask for everything again. */
  readonly resync: Readonly<Record<string, never>>;
}

export const LIVE_EVENT_KINDS = ['reading', 'history', 'device', 'gap', 'rejected', 'resync'] as const;
export type LiveEventKind = (typeof LIVE_EVENT_KINDS)[number];

export const EventsQuery = Query({
  lastEventId: Type.Optional(
    Type.String({
      maxLength: 100,
      description: 'Go on after this id. For the first connection of an EventSource, which can send no header',
    }),
  ),
});
export type EventsQuery = Static<typeof EventsQuery>;
