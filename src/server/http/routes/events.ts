import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import type { Clock } from '../../../platform/clock.ts';
import { toReadingRecord } from '../../export.ts';
import type { LiveEvent, LiveFeed } from '../../live-feed.ts';
import { createOpenAnswers } from '../answers.ts';
import { ApiError } from '../errors.ts';
import type { RouteFile } from '../parts.ts';
import { isoTime, streamed } from '../query.ts';
import { errors } from '../schemas/common.ts';
import { EventsQuery, LIVE_EVENT_KINDS, type LiveEventData } from '../schemas/readings.ts';

/** Proxies cut connections that are silent for a minute, some for half of one (HTML standard, 9.2.7, advises 15 s). */
export const HEARTBEAT_MS = 15_000;
/** A page whose connection was cut comes back after this. */
const RETRY_MS = 3_000;
/** What waits for a slow reader, besides what the system's socket holds. */
const BUFFERED_BYTES = 16 * 1024;

const HEARTBEAT = ':\n\n';

export interface EventStreamOptions {
  readonly feed: LiveFeed;
  readonly clock: Clock;
  readonly lastEventId: string | undefined;
}

export interface EventStream {
  /** Text of server-sent events; destroying it ends the watching. */
  readonly text: Readable;
  /** Ends it in order: what was written is still sent. */
  readonly end: () => void;
}

/**
 * Follows the feed. What a reader does not take is not kept: one that takes nothing between two heartbeats, or that the feed has
 * overtaken, is ended, and goes on from its last id when it comes back.
 */
export function openEventStream({ feed, clock, lastEventId }: EventStreamOptions): EventStream {
  const text = new PassThrough({ highWaterMark: BUFFERED_BYTES });
  const end = new AbortController();
  let isStuck = false;

  const speak = async (): Promise<void> => {
    // An id without data is remembered and is no event: also who has seen nothing yet can go on from here.
    text.write(`retry: ${RETRY_MS}\n${lastEventId === undefined ? `id: ${feed.lastId}\n` : ''}\n`);
    for await (const event of feed.subscribe(lastEventId, end.signal)) {
      if (!text.write(eventText(event))) await once(text, 'drain', { signal: end.signal });
    }
  };
  const beat = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(HEARTBEAT_MS, end.signal);
      if (!text.writableNeedDrain) text.write(HEARTBEAT);
      else if (isStuck) text.destroy();
      else isStuck = true;
    }
  };
  // They run until the stream ends: being told so is their order, and anything else is the stream's failure.
  const failed = (error: unknown): void => {
    if (!end.signal.aborted) text.destroy(error as Error);
  };
  speak()
    .catch(failed)
    .finally(() => text.end());
  beat().catch(failed);
  text.on('drain', () => {
    isStuck = false;
  });
  text.once('close', () => end.abort());
  return { text, end: () => end.abort() };
}

/** One event in the format of the HTML standard, 9.2. The data is one line: JSON escapes line ends. */
export function eventText({ id, atMs, change }: LiveEvent): string {
  return `id: ${id}\nevent: ${change.kind}\ndata: ${JSON.stringify(eventData(change, atMs))}\n\n`;
}

function eventData(change: LiveEvent['change'], atMs: number): LiveEventData[keyof LiveEventData] {
  switch (change.kind) {
    case 'reading':
      return { ...toReadingRecord(change.reading), received_at: isoTime(atMs) };
    case 'history':
      return {
        device_id: change.deviceUid,
        from: isoTime(change.fromMs),
        to: isoTime(change.toMs),
        count: change.count,
      };
    case 'device':
    case 'gap':
      return { device_id: change.deviceUid };
    case 'rejected':
      return { count: change.count };
    case 'resync':
      return {};
  }
}

/** Each holds a connection and up to some 50 KB that its reader has not taken. */
export const MAX_WATCHERS = 200;
const RETRY_AFTER_S = 30;

/** What changes, as it changes. */
export const addEventsRoutes: RouteFile = (app, { feed, clock }) => {
  const streams = createOpenAnswers(app.closing);

  app.get(
    '/events',
    {
      // A HEAD request would watch for ever.
      exposeHeadRoute: false,
      schema: {
        tags: ['live'],
        summary: 'Changes as they happen (server-sent events)',
        description:
          `Events ${LIVE_EVENT_KINDS.join(', ')}, with JSON as data. An event is sent once it is on disk. After a pause go on with the ` +
          'header `Last-Event-ID`, as EventSource does by itself; `resync` says that too much was missed to catch up.',
        querystring: EventsQuery,
        response: { 200: streamed('The stream; it has no end', ['text/event-stream']), ...errors },
      },
    },
    async (request, reply) => {
      if (feed.watchers >= MAX_WATCHERS) {
        throw new ApiError(503, 'TOO_MANY_WATCHERS', `${MAX_WATCHERS} connections watch already; try again later`, {
          headers: { 'retry-after': String(RETRY_AFTER_S) },
        });
      }
      const header = request.headers['last-event-id'];
      const lastEventId = typeof header === 'string' ? header : request.query.lastEventId;
      const stream = openEventStream({ feed, clock, lastEventId });
      stream.text.once('close', streams.add(stream.end));
      return (
        reply
          .type('text/event-stream; charset=utf-8')
          .header('cache-control', 'no-store')
          // nginx would collect answers before it passes them on.
          .header('x-accel-buffering', 'no')
          .send(stream.text)
      );
    },
  );
};
