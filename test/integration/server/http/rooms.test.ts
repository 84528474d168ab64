import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HttpRig, openHttpRig } from '../../../support/http-rig.ts';

let rig: HttpRig;
beforeEach(async () => {
  rig = await openHttpRig();
});
afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

const ROOM = { uid: 'salon', name: 'Salon', floor: '1', side: 'south', home_id: null, is_outdoors: false };

async function addRoom(body: object = { name: 'Salon', floor: '1', side: 'south' }) {
  return await rig.ask('POST', '/api/v1/rooms', { body });
}

describe('rooms', () => {
  it('are made, told, changed and removed', async () => {
    expect(await addRoom()).toMatchObject({ status: 201, body: { data: ROOM, message: 'room salon was added' } });
    expect((await rig.ask('GET', '/api/v1/rooms')).body).toEqual({ data: [ROOM] });
    expect((await rig.ask('GET', '/api/v1/rooms/salon')).body).toEqual({ data: ROOM });
    const change = { name: 'Séjour', floor: null, is_outdoors: true };
    expect((await rig.ask('PUT', '/api/v1/rooms/salon', { body: change })).body).toEqual({
      data: { ...ROOM, name: 'Séjour', floor: null, is_outdoors: true },
      message: 'room salon was updated',
    });
    expect(await rig.ask('DELETE', '/api/v1/rooms/salon')).toMatchObject({
      status: 200,
      body: { message: 'room salon was removed', uid: 'salon' },
    });
    expect((await rig.ask('GET', '/api/v1/rooms')).body).toEqual({ data: [] });
  });

  it('have the uid that was given, or one made of the name', async () => {
    expect((await addRoom({ name: 'Salle 12', uid: 'room_12' })).body).toMatchObject({ data: { uid: 'room_12' } });
    expect((await addRoom({ name: 'Salle 13' })).body).toMatchObject({ data: { uid: 'salle-13' } });
    expect((await addRoom({ name: '客厅' })).status).toBe(201);
  });

  it('answer 404 where there is none', async () => {
    for (const [method, body] of [['GET'], ['PUT', { name: 'x' }], ['DELETE']] as const) {
      const answer = await rig.ask(method, '/api/v1/rooms/nowhere', { body });
      expect(answer).toMatchObject({ status: 404, body: { code: 'ROOM_NOT_FOUND' } });
    }
  });

  it('answer 409 where there is one already, by uid or by name', async () => {
    await addRoom();
    await addRoom({ name: 'Kitchen' });
    expect(await addRoom({ name: 'Other', uid: 'salon' })).toMatchObject({
      status: 409,
      body: { code: 'ROOM_EXISTS' },
    });
    expect(await addRoom({ name: 'Salon' })).toMatchObject({ status: 409, body: { code: 'ROOM_EXISTS' } });
    const renamed = await rig.ask('PUT', '/api/v1/rooms/kitchen', { body: { name: 'Salon' } });
    expect(renamed).toMatchObject({ status: 409, body: { code: 'ROOM_EXISTS' } });
  });

  it('stay while a device stands or stood there', async () => {
    const body = { device_uid: 'aht20-aaaaaa', room_name: 'Office' };
    await rig.ask('POST', '/api/v1/devices', { body });
    expect(await rig.ask('DELETE', '/api/v1/rooms/office')).toMatchObject({
      status: 409,
      body: { code: 'ROOM_IN_USE' },
    });
    expect(await rig.store.room('office')).toBeDefined();
  });

  it.each([[{}], [{ name: ' ' }], [{ name: 'x', uid: 'a b' }], [{ name: 'x', floor: 1 }], [{ name: 'x', id: 4 }]])(
    'refuse %j',
    async (body) => {
      expect(await addRoom(body)).toMatchObject({ status: 400, body: { code: 'VALIDATION' } });
    },
  );
});
