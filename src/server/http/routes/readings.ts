import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { exportFileName, exportReadings, toReadingRecord } from '../../export.ts';
import { contactAnswer, createOpenAnswers } from '../answers.ts';
import { ApiError } from '../errors.ts';
import type { RouteFile } from '../parts.ts';
import { linkNextPage, parseRange, scopeOf, streamed } from '../query.ts';
import { Data, errors, Page } from '../schemas/common.ts';
import { ExportQuery, LatestQuery, LatestReading, Reading, ReadingsQuery } from '../schemas/readings.ts';

/** Newest values, and the record itself page by page. */
export const addReadingsRoutes: RouteFile = (app, { store, clock }) => {
  app.get(
    '/readings/latest',
    {
      schema: {
        tags: ['readings'],
        summary: 'The newest reading of each device',
        description:
          'Sorted by device. Devices that are refused or removed, or never gave a reading, are not there. What is ahead of the clock of ' +
          'this server is ordered by when it came.',
        querystring: LatestQuery,
        response: { 200: Data(Type.Array(LatestReading)), ...errors },
      },
    },
    async ({ query: { deviceId, roomId } }) => {
      const [latest, devices] = await Promise.all([
        store.latest({
          ...(deviceId !== undefined && { deviceUid: deviceId }),
          ...(roomId !== undefined && { roomUid: roomId }),
        }),
        store.devices(),
      ]);
      const nowMs = clock.nowMs();
      const contacts = new Map(devices.map((device) => [device.uid, contactAnswer(device, nowMs)]));
      return {
        data: latest.flatMap((reading) => {
          const contact = contacts.get(reading.deviceUid);
          return contact === undefined ? [] : [{ ...toReadingRecord(reading), contact }];
        }),
      };
    },
  );

  app.get(
    '/readings',
    {
      schema: {
        tags: ['readings'],
        summary: 'Readings of a device, a room or all, over any time',
        description:
          'One page; `next` (and the header `Link`) says where the next one begins, and is absent on the last. ' +
          'A room has the readings of whatever stood there, for as long as it stood there.',
        querystring: ReadingsQuery,
        response: { 200: Page(Reading), ...errors },
      },
    },
    async (request, reply) => {
      const { order, limit, after, ...query } = request.query;
      const range = parseRange(query, clock.nowMs());
      const { readings, next } = await store.readings({
        scope: await scopeOf(store, query),
        ...range,
        order: order === 'asc' ? 'oldest-first' : 'newest-first',
        limit,
        ...(after !== undefined && { after }),
      });
      linkNextPage(request, reply, next);
      return { data: readings.map(toReadingRecord), ...(next !== undefined && { next }) };
    },
  );
};

const CONTENT_TYPES = { csv: 'text/csv; charset=utf-8; header=present', jsonl: 'application/x-ndjson; charset=utf-8' };

/** Text that waits for a slow reader, at most; pages of the store come on top, one at a time. */
const BUFFERED_BYTES = 64 * 1024;

/** Each holds a page of the store and reads the next as soon as it is taken; more at once would only make all of them slow. */
export const MAX_EXPORTS = 8;
const RETRY_AFTER_S = 30;
/** A client that takes nothing for this long has gone, or holds a place that others wait for. */
export const STUCK_MS = 60_000;
const LOOK_EVERY_MS = 10_000;

/** Readings as a file. */
export const addExportRoutes: RouteFile = (app, { store, clock }) => {
  const exports = createOpenAnswers(app.closing);
  let underWay = 0;

  app.get(
    '/export',
    {
      // A HEAD request would read all of it to throw it away.
      exposeHeadRoute: false,
      schema: {
        tags: ['readings'],
        summary: 'Readings as a file',
        description:
          'Oldest first, as many as there are; streamed. A transfer that ends without its last chunk is not whole. In CSV, texts that ' +
          "a spreadsheet would take for a formula begin with an apostrophe ('); numbers are numbers.",
        querystring: ExportQuery,
        response: {
          200: streamed('The file', ['text/csv', 'application/x-ndjson']),
          ...errors,
        },
      },
    },
    async ({ query }, reply) => {
      const range = parseRange(query, clock.nowMs());
      const asked = { scope: await scopeOf(store, query), ...range };
      if (underWay >= MAX_EXPORTS) {
        throw new ApiError(503, 'TOO_MANY_EXPORTS', `${MAX_EXPORTS} files are being written already; try again later`, {
          headers: { 'retry-after': String(RETRY_AFTER_S) },
        });
      }
      let takenMs = clock.monotonicMs();
      const file = Readable.from(
        noting(exportReadings(store, asked, query.format), () => (takenMs = clock.monotonicMs())),
        {
          objectMode: false,
          highWaterMark: BUFFERED_BYTES,
        },
      );
      underWay += 1;
      const end = new AbortController();
      const forget = exports.add(() => file.destroy(new Error('the server closes')));
      file.once('close', () => {
        underWay -= 1;
        end.abort();
        forget();
      });
      const watch = async (): Promise<void> => {
        while (clock.monotonicMs() - takenMs < STUCK_MS) await clock.sleep(LOOK_EVERY_MS, end.signal);
        file.destroy(new Error('the client does not read the file'));
      };
      // Ends with the file, which is told so by the signal.
      watch().catch(() => undefined);
      return reply
        .type(CONTENT_TYPES[query.format])
        .header('content-disposition', `attachment; filename="${exportFileName(asked, query.format)}"`)
        .header('cache-control', 'no-store')
        .send(file);
    },
  );
};

/** The same pieces; told whenever the next one is asked for. */
async function* noting<T>(pieces: AsyncIterable<T>, onAsked: () => void): AsyncGenerator<T, void> {
  for await (const piece of pieces) {
    yield piece;
    onAsked();
  }
}
