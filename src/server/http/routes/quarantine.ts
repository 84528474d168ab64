import type { QuarantineChoice, Quarantined, QuarantinedDevice } from '../../store/audit-store.ts';
import { ApiError } from '../errors.ts';
import type { RouteFile } from '../parts.ts';
import { isoTime, isoTimeOrNull, linkNextPage } from '../query.ts';
import { Data, errors, Page } from '../schemas/common.ts';
import {
  QuarantineDrop,
  QuarantineDropped,
  QuarantinedItem,
  QuarantineQuery,
  QuarantineRelease,
  QuarantineReleased,
  QuarantineSummary,
} from '../schemas/record.ts';

const tags = ['record'];
/** One transaction each; what arrives meanwhile comes in between. */
const STEP_ITEMS = 500;

/** What waits because the judgement on it may be wrong tomorrow: listed, released by a person, or dropped with a reason. */
export const addQuarantineRoutes: RouteFile = (app, { store, feed, clock, times }) => {
  app.get(
    '/quarantine',
    {
      schema: {
        tags,
        operationId: 'listQuarantine',
        summary: 'Readings that wait, and why; the oldest arrival first',
        description:
          "They came and are on disk, but cannot be of the time that they say by this server's clock, or this version does not understand " +
          'them. They are judged again by themselves when the clock of this server is set. None goes by itself.',
        querystring: QuarantineQuery,
        response: { 200: Page(QuarantinedItem), ...errors },
      },
    },
    async (request, reply) => {
      const { device, limit, after } = request.query;
      const page = await store.quarantine({
        ...(device !== undefined && { deviceUid: device }),
        limit,
        ...(after !== undefined && { after }),
      });
      linkNextPage(request, reply, page.next);
      return { data: page.items.map(itemAnswer), ...(page.next !== undefined && { next: page.next }) };
    },
  );

  app.get(
    '/quarantine/summary',
    {
      schema: {
        tags,
        operationId: 'getQuarantineSummary',
        summary: 'How many readings wait, by device',
        response: { 200: Data(QuarantineSummary), ...errors },
      },
    },
    async () => {
      const { waiting, waitingForTime, devices } = await store.quarantineSummary();
      return {
        data: {
          waiting,
          waiting_for_time: waitingForTime,
          clock_problem: times.clockState().problem ?? null,
          devices: devices.map(deviceAnswer),
        },
      };
    },
  );

  app.post(
    '/quarantine/release',
    {
      schema: {
        tags,
        operationId: 'releaseQuarantine',
        summary: 'Store what waits as it stands',
        description: 'For a person who knows that its time is right, whatever the clock of this server says.',
        body: QuarantineRelease,
        response: { 200: QuarantineReleased, ...errors },
      },
    },
    async (request) => {
      const choice = choiceOf(request.body);
      let [released, kept] = [0, 0];
      let nextId: number | undefined = 0;
      while (nextId !== undefined) {
        const step = { ...choice, afterId: nextId, limit: STEP_ITEMS, time: times.now() };
        const judged = await store.releaseQuarantine(step);
        released += judged.released;
        kept += judged.kept;
        nextId = judged.nextId;
        feed.publish(judged.changes, clock.nowMs());
      }
      if (released + kept === 0) throw nothingThere();
      const stay = kept === 0 ? '' : `; ${kept} stay, because this version does not understand them`;
      return { released, kept, message: `${released} readings were stored${stay}` };
    },
  );

  app.post(
    '/quarantine/drop',
    {
      schema: {
        tags,
        operationId: 'dropQuarantine',
        summary: 'Take what waits out of the record for good',
        description: 'The reason is kept, with numbers, times and counts of what is dropped.',
        body: QuarantineDrop,
        response: { 200: QuarantineDropped, ...errors },
      },
    },
    async (request) => {
      const choice = choiceOf(request.body);
      const { reason: note } = request.body;
      let dropped = 0;
      for (;;) {
        const step = await store.dropQuarantine({ ...choice, limit: STEP_ITEMS, note, nowMs: clock.nowMs() });
        dropped += step.dropped;
        if (step.dropped < STEP_ITEMS) break;
      }
      if (dropped === 0) throw nothingThere();
      return { dropped, message: `${dropped} readings were dropped; the reason is kept` };
    },
  );
};

function choiceOf({ device, id }: { readonly device?: string; readonly id?: number }): QuarantineChoice {
  return { ...(device !== undefined && { deviceUid: device }), ...(id !== undefined && { id }) };
}

function nothingThere(): ApiError {
  return new ApiError(
    404,
    'NOTHING_IN_QUARANTINE',
    'nothing like that waits in quarantine; GET /quarantine lists what does',
  );
}

function itemAnswer(item: Quarantined): QuarantinedItem {
  return {
    id: item.id,
    device_id: item.deviceUid,
    epoch: item.epoch,
    seq: item.seq,
    ts: isoTimeOrNull(item.tsMs),
    received_at: isoTime(item.receivedMs),
    reason: item.reason,
    detail: item.detail,
    topic: item.topic,
    item: item.item,
  };
}

function deviceAnswer(device: QuarantinedDevice) {
  return {
    device_id: device.deviceUid,
    reason: device.reason,
    count: device.count,
    from: isoTimeOrNull(device.fromTsMs),
    to: isoTimeOrNull(device.toTsMs),
    first_received_at: isoTime(device.firstMs),
    last_received_at: isoTime(device.lastMs),
  };
}
