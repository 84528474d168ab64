import type { ChangeSink } from '../ingest/ingest.ts';
import type { StoreChange } from '../store/ingest-store.ts';

/** Changes of the store for those who watch, with a memory long enough for a page that slept. */
export interface LiveFeed extends ChangeSink {
  /**
   * Events after `lastEventId`, then those to come, until the signal is aborted. Where the feed no longer remembers that id (a
   * restart, too long ago) the first event is `resync`: ask for everything again. A watcher that is too slow is ended.
   */
  subscribe(lastEventId: string | undefined, signal: AbortSignal): AsyncIterable<LiveEvent>;
  /** How many watch now. */
  readonly watchers: number;
  /** The id to resume from for somebody who has seen everything until now. */
  readonly lastId: string;
}

export interface LiveEvent {
  /** Opaque; grows. */
  readonly id: string;
  readonly atMs: number;
  readonly change: StoreChange | { readonly kind: 'resync' };
}
