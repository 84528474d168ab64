import { ApiError } from '../api-error.ts';
import type { RouteFile } from '../app.ts';
import { openEventStream } from '../event-stream.ts';
import { createOpenAnswers } from '../open-answers.ts';
import { errors } from '../schemas/common.ts';
import { EventsQuery, LIVE_EVENT_KINDS } from '../schemas/events.ts';
import { streamed } from '../streamed.ts';

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
