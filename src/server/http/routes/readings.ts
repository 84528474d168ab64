import { Type } from 'typebox';
import { toReadingRecord } from '../../export/reading-record.ts';
import type { RouteFile } from '../app.ts';
import { contactAnswer } from '../device-answers.ts';
import { linkNextPage } from '../next-page.ts';
import { Data, errors, Page } from '../schemas/common.ts';
import { LatestQuery, LatestReading, Reading, ReadingsQuery } from '../schemas/readings.ts';
import { scopeOf } from '../scope.ts';
import { parseRange } from '../time-range.ts';

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
