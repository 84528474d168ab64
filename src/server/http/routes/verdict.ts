import { StoreError } from '../../store/store.ts';
import { ApiError } from '../api-error.ts';
import type { RouteFile } from '../app.ts';
import { toGapRecord } from '../gap-record.ts';
import { Data, errors } from '../schemas/common.ts';
import { Gap } from '../schemas/gaps.ts';
import { NewDismissal, Verdict, VerdictQuery } from '../schemas/verdict.ts';
import { scopeOf } from '../scope.ts';
import { parseRange } from '../time-range.ts';
import { verdictAnswer } from '../verdict-answer.ts';

/** A page asks whenever something changes; so often the record is judged anew at most. */
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
