import type { RouteFile } from '../app.ts';
import { toGapRecord } from '../gap-record.ts';
import { linkNextPage } from '../next-page.ts';
import { errors, Page } from '../schemas/common.ts';
import { Gap, GapsQuery } from '../schemas/gaps.ts';
import { scopeOf } from '../scope.ts';
import { parseRange } from '../time-range.ts';

/** What devices themselves say is missing. */
export const addGapsRoutes: RouteFile = (app, { store, clock }) => {
  app.get(
    '/gaps',
    {
      schema: {
        tags: ['record'],
        summary: 'What devices say is missing, and why',
        description:
          'What devices said about readings that are gone for good, newest first. Those that touch the time asked for; ' +
          'gaps whose time nobody knows are always among them. What is missing without a word stands in the verdict.',
        querystring: GapsQuery,
        response: { 200: Page(Gap), ...errors },
      },
    },
    async (request, reply) => {
      const { device, limit, after, from, to } = request.query;
      // Without an end asked for there is none: a device whose clock is ahead has gaps in the future.
      const { fromMs, toMs } = parseRange(
        { ...(from !== undefined && { from }), ...(to !== undefined && { to }) },
        clock.nowMs(),
      );
      await scopeOf(store, device === undefined ? {} : { device });
      const page = await store.gaps({
        ...(device !== undefined && { deviceUid: device }),
        ...(from !== undefined && { fromMs }),
        ...(to !== undefined && { toMs }),
        limit,
        ...(after !== undefined && { after }),
      });
      linkNextPage(request, reply, page.next);
      return { data: page.gaps.map(toGapRecord), ...(page.next !== undefined && { next: page.next }) };
    },
  );
};
