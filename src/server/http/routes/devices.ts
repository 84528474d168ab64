import { Type } from 'typebox';
import { type RoomChoice, StoreError } from '../../store/store.ts';
import type * as stored from '../../store/stored.ts';
import { deviceAnswer, placementAnswer } from '../answers.ts';
import { ApiError, deviceNotFound, forDevice, invalidField } from '../errors.ts';
import type { RouteFile } from '../parts.ts';
import { parseTime, withZone } from '../query.ts';
import { Data, errors } from '../schemas/common.ts';
import {
  Device,
  DeviceBatch,
  DeviceChange,
  DeviceListQuery,
  DeviceParams,
  DeviceRemoval,
  DeviceRemoved,
  DeviceSaved,
  DevicesSaved,
  NewDevice,
  Placement,
} from '../schemas/devices.ts';

const tags = ['devices'];

/** Devices: who measures, what it is called, where it stands and stood. */
export const addDeviceRoutes: RouteFile = (app, { store, feed, clock }) => {
  const tellWatchers = (uids: readonly string[]): void =>
    feed.publish(
      uids.map((deviceUid) => ({ kind: 'device', deviceUid }) as const),
      clock.nowMs(),
    );

  app.get(
    '/devices',
    {
      schema: {
        tags,
        operationId: 'listDevices',
        summary: 'All devices, by uid',
        querystring: DeviceListQuery,
        response: { 200: Data(Type.Array(Device)), ...errors },
      },
    },
    async (request) => {
      const devices = await store.devices({ withRemoved: request.query.removed ?? false });
      return { data: devices.map((device) => deviceAnswer(device, clock.nowMs())) };
    },
  );

  app.get(
    '/devices/:uid',
    {
      schema: {
        tags,
        operationId: 'getDevice',
        summary: 'One device',
        description: 'A device that was taken out of service is not found; the list shows it with `removed=true`.',
        params: DeviceParams,
        response: { 200: Data(Device), ...errors },
      },
    },
    async (request) => {
      const { uid } = request.params;
      const device = await store.device(uid);
      if (device === undefined || device.state === 'removed') throw deviceNotFound(uid);
      return { data: deviceAnswer(device, clock.nowMs()) };
    },
  );

  app.get(
    '/devices/:uid/placements',
    {
      schema: {
        tags,
        operationId: 'listPlacements',
        summary: 'Where a device stood, oldest first',
        description: '`from` null: from the beginning. `to` null: until now.',
        params: DeviceParams,
        response: { 200: Data(Type.Array(Placement)), ...errors },
      },
    },
    async (request) => {
      const { uid } = request.params;
      if ((await store.device(uid)) === undefined) throw deviceNotFound(uid);
      return { data: (await store.placements(uid)).map(placementAnswer) };
    },
  );

  app.post(
    '/devices',
    {
      schema: {
        tags,
        operationId: 'addDevice',
        summary: 'Provision a device',
        description:
          'Before it speaks for the first time, or after it was removed. A room that does not exist is made.',
        body: NewDevice,
        response: { 201: DeviceSaved, ...errors },
      },
    },
    async (request, reply) => {
      const device = newDevice(request.body, '');
      const [added] = await store.addDevices([device], clock.nowMs()).catch((error: unknown) => {
        throw alreadyThere(error, device.uid);
      });
      if (added === undefined) throw new Error(`the store added no device for ${device.uid}`);
      tellWatchers([added.uid]);
      return reply.code(201).send({ data: saved(added, clock.nowMs()), message: `device ${added.uid} was added` });
    },
  );

  app.post(
    '/devices/batch',
    {
      schema: {
        tags,
        operationId: 'addDevices',
        summary: 'Provision many devices: all of them or none',
        description: 'The error of a wrong entry names it by its index: `devices.3.device_uid`.',
        body: DeviceBatch,
        response: { 201: DevicesSaved, ...errors },
      },
    },
    async (request, reply) => {
      const devices = request.body.devices.map((device, index) => newDevice(device, `devices.${index}.`));
      await refuseDoubles(devices.map(({ uid }) => uid));
      const added = await store.addDevices(devices, clock.nowMs());
      tellWatchers(added.map(({ uid }) => uid));
      return reply.code(201).send({
        data: added.map((device) => saved(device, clock.nowMs())),
        message: `${added.length} devices were added`,
      });
    },
  );

  app.put(
    '/devices/:uid',
    {
      schema: {
        tags,
        operationId: 'updateDevice',
        summary: 'Name, move, approve or refuse a device',
        params: DeviceParams,
        body: DeviceChange,
        response: { 200: DeviceSaved, ...errors },
      },
    },
    async (request) => {
      const { uid } = request.params;
      const change = deviceChange(request.body);
      const device = await forDevice(uid, store.updateDevice(uid, change, clock.nowMs()));
      tellWatchers([uid]);
      return { data: saved(device, clock.nowMs()), message: `device ${uid} was updated` };
    },
  );

  app.delete(
    '/devices/:uid',
    {
      schema: {
        tags,
        operationId: 'removeDevice',
        summary: 'Take a device out of service',
        description:
          'Its readings stay in the record unless `readings=delete`. It is registered again when it speaks again; to keep it out, refuse it.',
        params: DeviceParams,
        querystring: DeviceRemoval,
        response: { 200: DeviceRemoved, ...errors },
      },
    },
    async (request) => {
      const { uid } = request.params;
      const fate = request.query.readings ?? 'keep';
      const { readings } = await forDevice(uid, store.removeDevice(uid, fate, clock.nowMs()));
      tellWatchers([uid]);
      const done: 'kept' | 'deleted' = fate === 'keep' ? 'kept' : 'deleted';
      return {
        message: `device ${uid} was removed; its ${readings} readings were ${done}`,
        uid,
        readings: done,
        reading_count: readings,
      };
    },
  );

  /** Names the first entry that can't be added. Between this and the adding another may come: then nothing is added either. */
  async function refuseDoubles(uids: readonly string[]): Promise<void> {
    const taken = new Map((await store.devices()).map(({ uid }) => [uid, 'exists already']));
    uids.forEach((uid, index) => {
      const problem = taken.get(uid);
      const field = `devices.${index}.device_uid`;
      if (problem !== undefined) {
        const details = [{ field, problem: `${JSON.stringify(uid)} ${problem}` }];
        throw new ApiError(409, 'DEVICE_EXISTS', `${field}: ${uid} ${problem}; nothing was added`, { details });
      }
      taken.set(uid, `is in this batch already, at ${index}`);
    });
  }
};

function newDevice({ device_uid, room_name, room_uid, label, model }: NewDevice, path: string) {
  const room = roomChoice(room_name, room_uid);
  if (room === undefined) throw invalidField(`${path}room_name`, 'is missing (or room_uid, for a room that exists)');
  return { uid: device_uid, room, ...(hasLabel(label) && { label }), ...(model !== undefined && { model }) };
}

function deviceChange({ label, room_name, room_uid, moved_at, state }: DeviceChange) {
  const room = room_name === null ? null : roomChoice(room_name, room_uid);
  if (room === null && room_uid !== undefined) throw invalidField('room_uid', 'contradicts room_name: null');
  if (moved_at !== undefined && room === undefined) {
    throw invalidField('moved_at', 'needs room_name or room_uid: where it was moved to');
  }
  return {
    ...(label !== undefined && { label: hasLabel(label) ? label : null }),
    ...(room !== undefined && { room }),
    ...(moved_at !== undefined && { movedAtMs: parseTime('moved_at', withZone(moved_at)) }),
    ...(state !== undefined && { state }),
  };
}

/** The older API took an empty label, and null, for none. */
function hasLabel(label: string | null | undefined): label is string {
  return label !== undefined && label !== null && label.trim() !== '';
}

function roomChoice(name: string | undefined, uid: string | undefined): RoomChoice | undefined {
  if (name === undefined && uid === undefined) return undefined;
  return { ...(name !== undefined && { name: name.trim() }), ...(uid !== undefined && { uid }) };
}

function saved(device: stored.Device, nowMs: number) {
  const answer = deviceAnswer(device, nowMs);
  return { device: answer, room: answer.room };
}

function alreadyThere(error: unknown, uid: string): unknown {
  if (!(error instanceof StoreError) || error.code !== 'EXISTS') return error;
  return new ApiError(409, 'DEVICE_EXISTS', `device ${uid} exists already; PUT changes it`, { cause: error });
}
