import type { Rejected } from '../../store/stored.ts';
import type { RouteFile } from '../app.ts';
import { linkNextPage } from '../next-page.ts';
import { errors, Page } from '../schemas/common.ts';
import { RejectedMessage, RejectedQuery } from '../schemas/rejected.ts';
import { isoTime } from '../times.ts';

/** What came and could not be stored: kept, with the reason. */
export const addRejectedRoutes: RouteFile = (app, { store }) => {
  app.get(
    '/rejected',
    {
      schema: {
        tags: ['record'],
        summary: 'Messages that could not be stored as readings, and why',
        description:
          'Newest first. The same message again counts, and is listed once; the oldest go when there are too many.',
        querystring: RejectedQuery,
        response: { 200: Page(RejectedMessage), ...errors },
      },
    },
    async (request, reply) => {
      const { device, reason, limit, after } = request.query;
      const page = await store.rejected({
        ...(device !== undefined && { deviceUid: device }),
        ...(reason !== undefined && { reason }),
        limit,
        ...(after !== undefined && { after }),
      });
      linkNextPage(request, reply, page.next);
      return { data: page.rejected.map(toRejectedMessage), ...(page.next !== undefined && { next: page.next }) };
    },
  );
};

function toRejectedMessage(rejected: Rejected): RejectedMessage {
  return {
    id: rejected.id,
    topic: rejected.topic,
    device_id: rejected.deviceUid,
    reason: rejected.reason,
    detail: rejected.detail,
    payload: rejected.payload,
    payload_bytes: rejected.payloadBytes,
    first_at: isoTime(rejected.firstMs),
    last_at: isoTime(rejected.lastMs),
    count: rejected.count,
  };
}
