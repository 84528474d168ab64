import type { Clock, Random } from '../platform/clock.ts';
import type { ChangeSink } from './ingest/ingest.ts';
import type { StoreChange } from './store/ingest-store.ts';

/** Changes of the store for those who watch, with a memory long enough for a page that slept. */
export interface LiveFeed extends ChangeSink {
  /**
   * Events after `lastEventId`, then those to come, until the signal is aborted. Where the feed no longer remembers that id (a
   * restart, too long ago) the first event is `resync`: ask for everything again. A watcher that is too slow is ended.
   */
  subscribe(lastEventId: string | undefined, signal: AbortSignal): AsyncIterable<LiveEvent>;
  /** How many watch now. */
  readonly watchers: number;
  /** The id to resume from for a client that has seen everything until now. */
  readonly lastId: string;
}

export interface LiveEvent {
  /** Opaque; grows. */
  readonly id: string;
  readonly atMs: number;
  readonly change: StoreChange | { readonly kind: 'resync' };
}

/** A page that slept for an hour catches up where a house of 20 devices speaks every 30 s; 2,400 events. */
export const LIVE_FEED_CAPACITY = 4096;

export interface LiveFeedOptions {
  /** How many events are remembered, for watchers that come back and for those that are behind. */
  readonly capacity: number;
  readonly random: Random;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/**
 * A feed in a ring of the newest events. A watcher costs a position in the ring and nothing else, so many are cheap and none can
 * take memory by being slow: one that the ring has overtaken is ended.
 */
export function createLiveFeed({ capacity, random, clock }: LiveFeedOptions): LiveFeed {
  // Names this feed, so that a number given before a restart is never taken for one of this run; begins with the time to grow.
  const boot = `${clock.nowMs().toString(36)}${Math.floor(random() * 36 ** 5)
    .toString(36)
    .padStart(5, '0')}`;
  const ring: LiveEvent[] = [];
  const sleepers = new Set<() => void>();
  /** Events are numbered from 1. */
  let newest = 0;
  let watchers = 0;

  const idOf = (number: number): string => `${boot}-${number}`;
  const oldest = (): number => Math.max(1, newest - capacity + 1);

  /** The number in an id of this feed that it can still go on from; undefined where it cannot. */
  const numberOf = (id: string): number | undefined => {
    const digits = /^([0-9a-z]+)-(\d{1,15})$/.exec(id);
    if (digits === null || digits[1] !== boot) return undefined;
    const number = Number(digits[2]);
    return number >= oldest() - 1 && number <= newest ? number : undefined;
  };

  async function* watch(afterNumber: number, isLost: boolean, signal: AbortSignal): AsyncGenerator<LiveEvent, void> {
    let seen = afterNumber;
    let wake: () => void = () => undefined;
    const stop = (): void => wake();
    signal.addEventListener('abort', stop, { once: true });
    watchers += 1;
    try {
      if (isLost) yield { id: idOf(seen), atMs: clock.nowMs(), change: { kind: 'resync' } };
      while (!signal.aborted) {
        if (seen + 1 < oldest()) return;
        if (seen < newest) {
          seen += 1;
          const event = ring[seen % capacity];
          if (event === undefined) return;
          yield event;
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
          sleepers.add(resolve);
        });
        sleepers.delete(wake);
      }
    } finally {
      signal.removeEventListener('abort', stop);
      sleepers.delete(wake);
      watchers -= 1;
    }
  }

  return {
    publish(changes: readonly StoreChange[], nowMs: number) {
      if (changes.length === 0) return;
      for (const change of changes) {
        newest += 1;
        ring[newest % capacity] = { id: idOf(newest), atMs: nowMs, change };
      }
      const waking = [...sleepers];
      sleepers.clear();
      for (const wake of waking) wake();
    },
    subscribe(lastEventId, signal) {
      // Decided at the call: what is published between it and the first look belongs to the watcher.
      if (lastEventId === undefined) return watch(newest, false, signal);
      const number = numberOf(lastEventId);
      return watch(number ?? newest, number === undefined, signal);
    },
    get watchers() {
      return watchers;
    },
    get lastId() {
      return idOf(newest);
    },
  };
}
