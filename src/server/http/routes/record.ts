import { StoreError } from '../../store/store.ts';
import type { Rejected } from '../../store/stored.ts';
import { toGapRecord } from '../answers.ts';
import { ApiError } from '../errors.ts';
import type { RouteFile } from '../parts.ts';
import { isoTime, linkNextPage, parseRange, scopeOf } from '../query.ts';
import { Data, errors, Page } from '../schemas/common.ts';
import { Gap, GapsQuery } from '../schemas/readings.ts';
import { NewDismissal, RejectedMessage, RejectedQuery, Verdict, VerdictQuery } from '../schemas/record.ts';
import { verdictAnswer } from '../verdict-answer.ts';

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
          'gaps whose time is not known are always among them. What is missing without a word stands in the verdict.',
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

/** A page asks whenever something changes; so often the record is judged again at most. */
const FRESH_MS = 15_000;
/** Then the verdict of before is given, with its age. */
const PATIENCE_MS = 2_000;

const tags = ['record'];

/** Whether all is there, and what people say against gap records. */
export const addVerdictRoutes: RouteFile = (app, { store, clock, verdicts, feed }) => {
  app.get(
    '/verdict',
    {
      schema: {
        tags,
        operationId: 'getVerdict',
        summary: 'Whether readings are missing from the record, and what cannot be known',
        description:
          'Of one device or all, and of a stretch of time or all of it. The verdict is made beside the other work and may be some time ' +
          'old: `age_s` says how much. Holes belong to the time between the readings next to them.',
        querystring: VerdictQuery,
        response: { 200: Data(Verdict), ...errors },
      },
    },
    async ({ query }) => {
      const { device, from, to } = query;
      const range = from === undefined && to === undefined ? undefined : parseRange(query, clock.nowMs());
      await scopeOf(store, device === undefined ? {} : { device });
      const record = await verdicts?.ask(FRESH_MS, PATIENCE_MS);
      const question = {
        ...(device !== undefined && { deviceUid: device }),
        ...(range !== undefined && {
          range: { ...range, toMs: to === undefined ? Number.MAX_SAFE_INTEGER : range.toMs },
        }),
      };
      return { data: verdictAnswer(record, question, clock.nowMs()) };
    },
  );

  app.post(
    '/gaps/dismissals',
    {
      schema: {
        tags,
        operationId: 'dismissGap',
        summary: 'Say that a gap record is wrong, and why',
        description:
          'The record and the reason are kept. From then on it neither explains missing numbers nor makes any: the next verdict is without it.',
        body: NewDismissal,
        response: { 200: Data(Gap), ...errors },
      },
    },
    async ({ body }) => {
      const { device_id: deviceUid, epoch, seq, reason } = body;
      await scopeOf(store, { device: deviceUid });
      try {
        const gap = await store.dismissGap({ deviceUid, epoch, seq }, reason.trim(), clock.nowMs());
        feed.publish([{ kind: 'gap', deviceUid }], clock.nowMs());
        return { data: toGapRecord(gap) };
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'NOT_FOUND') throw error;
        throw new ApiError(404, 'GAP_NOT_FOUND', `${error.message}; GET /api/v1/gaps lists them`, { cause: error });
      }
    },
  );
};
