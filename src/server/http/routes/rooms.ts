import { Type } from 'typebox';
import { StoreError } from '../../store/store.ts';
import { roomAnswer } from '../answers.ts';
import { ApiError, forRoom, roomNotFound } from '../errors.ts';
import type { RouteFile } from '../parts.ts';
import { Data, errors } from '../schemas/common.ts';
import { NewRoom, Room, RoomChange, RoomParams, RoomRemoved, RoomSaved } from '../schemas/devices.ts';

const tags = ['rooms'];

/** Rooms: where devices stand. */
export const addRoomRoutes: RouteFile = (app, { store }) => {
  app.get(
    '/rooms',
    {
      schema: {
        tags,
        operationId: 'listRooms',
        summary: 'All rooms',
        response: { 200: Data(Type.Array(Room)), ...errors },
      },
    },
    async () => ({ data: (await store.rooms()).map(roomAnswer) }),
  );

  app.get(
    '/rooms/:uid',
    {
      schema: {
        tags,
        operationId: 'getRoom',
        summary: 'One room',
        params: RoomParams,
        response: { 200: Data(Room), ...errors },
      },
    },
    async (request) => {
      const room = await store.room(request.params.uid);
      if (room === undefined) throw roomNotFound(request.params.uid);
      return { data: roomAnswer(room) };
    },
  );

  app.post(
    '/rooms',
    {
      schema: {
        tags,
        operationId: 'addRoom',
        summary: 'Make a room',
        body: NewRoom,
        response: { 201: RoomSaved, ...errors },
      },
    },
    async (request, reply) => {
      const { name, uid, home_id, floor, side, is_outdoors } = request.body;
      const adding = store.addRoom({
        name: name.trim(),
        ...(uid !== undefined && { uid }),
        ...(home_id !== undefined && { homeUid: home_id }),
        ...(floor !== undefined && { floor }),
        ...(side !== undefined && { side }),
        ...(is_outdoors !== undefined && { isOutdoors: is_outdoors }),
      });
      const room = await adding.catch((error: unknown) => {
        throw withRoomCode(error, 'EXISTS', 'ROOM_EXISTS');
      });
      return reply.code(201).send({ data: roomAnswer(room), message: `room ${room.uid} was added` });
    },
  );

  app.put(
    '/rooms/:uid',
    {
      schema: {
        tags,
        operationId: 'updateRoom',
        summary: 'Rename or describe a room',
        description: 'Its uid stays what it is.',
        params: RoomParams,
        body: RoomChange,
        response: { 200: RoomSaved, ...errors },
      },
    },
    async (request) => {
      const { uid } = request.params;
      const { name, floor, side, is_outdoors } = request.body;
      const change = {
        ...(name !== undefined && { name: name.trim() }),
        ...(floor !== undefined && { floor }),
        ...(side !== undefined && { side }),
        ...(is_outdoors !== undefined && { isOutdoors: is_outdoors }),
      };
      const room = await forRoom(uid, store.updateRoom(uid, change)).catch((error: unknown) => {
        throw withRoomCode(error, 'EXISTS', 'ROOM_EXISTS');
      });
      return { data: roomAnswer(room), message: `room ${uid} was updated` };
    },
  );

  app.delete(
    '/rooms/:uid',
    {
      schema: {
        tags,
        operationId: 'removeRoom',
        summary: 'Remove a room in which no device ever stood',
        params: RoomParams,
        response: { 200: RoomRemoved, ...errors },
      },
    },
    async (request) => {
      const { uid } = request.params;
      await forRoom(uid, store.removeRoom(uid)).catch((error: unknown) => {
        throw withRoomCode(error, 'IN_USE', 'ROOM_IN_USE');
      });
      return { message: `room ${uid} was removed`, uid };
    },
  );
};

function withRoomCode(error: unknown, storeCode: 'EXISTS' | 'IN_USE', code: string): unknown {
  if (!(error instanceof StoreError) || error.code !== storeCode) return error;
  return new ApiError(409, code, error.message, { cause: error });
}
