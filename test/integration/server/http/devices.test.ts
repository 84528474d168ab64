import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HttpRig, openHttpRig } from '../../../support/http-rig.ts';

const NOW = Date.UTC(2026, 5, 15, 12);
const HOUR = 3_600_000;

let rig: HttpRig;
beforeEach(async () => {
  rig = await openHttpRig();
});
afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

async function speak(deviceUid: string, tsMs: number, seq: number): Promise<void> {
  await rig.store.commit({
    registration: 'auto',
    maxRejected: 100,
    messages: [
      {
        kind: 'items',
        topic: `home/home-001/sensors/${deviceUid}/reading`,
        receivedMs: rig.clock.nowMs(),
        homeId: 'home-001',
        deviceUid,
        items: [{ temperatureCelsius: 0, humidityPercent: 0, tsMs, epoch: 'epoch1', seq }],
        bad: [],
      },
    ],
  });
}

async function addDevice(device_uid = 'aht20-aaaaaa', room_name = 'Office'): Promise<void> {
  const { status, text } = await rig.ask('POST', '/api/v1/devices', { body: { device_uid, room_name } });
  expect(status, text).toBe(201);
}

describe('devices, as the older API has them', () => {
  it('are provisioned with their room', async () => {
    const body = { device_uid: 'aht20-aaaaaa', room_name: 'Salle à manger', label: 'Window' };
    const { status, body: answer } = await rig.ask('POST', '/api/v1/devices', { body });
    expect(status).toBe(201);
    expect(answer).toMatchObject({
      data: {
        device: { uid: 'aht20-aaaaaa', label: 'Window', room: { uid: 'salle-a-manger', name: 'Salle à manger' } },
        room: { uid: 'salle-a-manger', name: 'Salle à manger' },
      },
      message: 'device aht20-aaaaaa was added',
    });
    expect((await rig.ask('GET', '/api/v1/rooms')).body).toMatchObject({
      data: [{ uid: 'salle-a-manger', name: 'Salle à manger', floor: null, side: null }],
    });
  });

  it('are listed and told one by one, with nothing but what is documented', async () => {
    await addDevice();
    const device = {
      uid: 'aht20-aaaaaa',
      room: { uid: 'office', name: 'Office' },
      label: null,
      created_at: '2026-06-15T12:00:00.000Z',
      last_seen_at: null,
      home_id: null,
      model: null,
      state: 'active',
      presence: 'unknown',
      presence_at: null,
      contact: { state: 'never', heard_at: null, late_after_s: 630, silent_after_s: 1830 },
      latest: null,
      status: null,
      status_at: null,
    };
    expect((await rig.ask('GET', '/api/v1/devices')).body).toEqual({ data: [device] });
    expect((await rig.ask('GET', '/api/v1/devices/aht20-aaaaaa')).body).toEqual({ data: device });
  });

  it('are told with what they say of broker and servers', async () => {
    await addDevice();
    const mqtt = {
      protocol: '5' as const,
      subscribers: 'none' as const,
      waiting_for_server: true as const,
      left_out: ['the discovery for Home Assistant'],
      set_aside: 2,
      ignored: 3,
      servers: [{ name: 'main', state: 'offline', record: 'a'.repeat(32) }],
      problems: [{ code: 'TOO_LARGE', message: 'the broker refuses a message of 900 bytes' }],
    };
    await rig.store.commit({
      registration: 'auto',
      maxRejected: 100,
      messages: [
        {
          kind: 'status',
          topic: 'home/home-001/sensors/aht20-aaaaaa/status',
          receivedMs: rig.clock.nowMs(),
          homeId: 'home-001',
          deviceUid: 'aht20-aaaaaa',
          status: { state: 'online', mqtt },
          isRetained: false,
        },
      ],
    });
    const told = { data: { presence: 'online', status: { mqtt } } };
    expect((await rig.ask('GET', '/api/v1/devices/aht20-aaaaaa')).body).toMatchObject(told);
    expect((await rig.ask('GET', '/api/v1/devices')).body).toMatchObject({ data: [told.data] });
  });

  it('answer 404 where there is none, with a code', async () => {
    for (const [method, body] of [['GET'], ['PUT', { label: 'x' }], ['DELETE']] as const) {
      const { status, body: answer } = await rig.ask(method, '/api/v1/devices/nobody', { body });
      expect(status).toBe(404);
      expect(answer).toEqual({
        error: 'Device not found: there is no device "nobody"; GET /api/v1/devices lists them',
        code: 'DEVICE_NOT_FOUND',
      });
    }
    expect((await rig.ask('GET', '/api/v1/devices/nobody/placements')).status).toBe(404);
  });

  it('answer 409 where there is one already', async () => {
    await addDevice();
    const body = { device_uid: 'aht20-aaaaaa', room_name: 'Kitchen' };
    const { status, body: answer } = await rig.ask('POST', '/api/v1/devices', { body });
    expect(status).toBe(409);
    expect(answer['code']).toBe('DEVICE_EXISTS');
    expect((await rig.store.rooms()).map(({ uid }) => uid)).toEqual(['office']);
  });

  it.each([
    [{ room_name: 'Office' }, 'device_uid'],
    [{ device_uid: 'a' }, 'room_name'],
    [{ device_uid: 'a', room_name: '' }, 'room_name'],
    [{ device_uid: 'a', room_name: '   ' }, 'room_name'],
    [{ device_uid: 'a', room_name: 7 }, 'room_name'],
    [{ device_uid: 'a', room_name: 'Office', label: 'x'.repeat(101) }, 'label'],
    [{ device_uid: 'a', room_name: 'Office', colour: 'red' }, 'colour'],
    [[], 'body'],
  ])('answer 400 to %j and name %s', async (body, field) => {
    const { status, body: answer } = await rig.ask('POST', '/api/v1/devices', { body });
    expect(status).toBe(400);
    expect(answer).toMatchObject({ code: 'VALIDATION', details: [{ field }] });
    expect(await rig.store.devices()).toEqual([]);
  });

  it('S12: a device_uid that can never stand in a topic is refused', async () => {
    for (const device_uid of ['x y/z', '', 'a'.repeat(51), '../x', 'é', '+', '#', 'a\nb', 'a\u0000']) {
      const { status, body } = await rig.ask('POST', '/api/v1/devices', { body: { device_uid, room_name: 'Office' } });
      expect(status, device_uid).toBe(400);
      expect(body['details']).toEqual([
        { field: 'device_uid', problem: 'must be 1 to 50 of the characters A-Z a-z 0-9 _ -' },
      ]);
    }
    expect(await rig.store.devices()).toEqual([]);
  });

  it('S12: a room name without ASCII letters makes a room', async () => {
    const names = ['客厅', 'Кухня', 'غرفة', '🛋️', '№ 4'];
    for (const [index, room_name] of names.entries()) {
      const body = { device_uid: `aht20-${index}`, room_name };
      const { status, body: answer } = await rig.ask('POST', '/api/v1/devices', { body });
      expect(status, room_name).toBe(201);
      expect(answer).toMatchObject({
        data: { room: { name: room_name, uid: expect.stringMatching(/^[A-Za-z0-9_-]{1,50}$/) as string } },
      });
    }
    expect(new Set((await rig.store.rooms()).map(({ uid }) => uid)).size).toBe(names.length);
  });

  it('S10: a label alone touches neither the placement nor when the device was last seen', async () => {
    await addDevice();
    await speak('aht20-aaaaaa', NOW - HOUR, 1);
    const before = await rig.store.placements('aht20-aaaaaa');
    await rig.clock.advance(HOUR);
    const { status, body } = await rig.ask('PUT', '/api/v1/devices/aht20-aaaaaa', { body: { label: 'Door' } });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      data: {
        device: { label: 'Door', last_seen_at: '2026-06-15T11:00:00.000Z', room: { uid: 'office' } },
        room: { uid: 'office' },
      },
      message: 'device aht20-aaaaaa was updated',
    });
    expect(await rig.store.placements('aht20-aaaaaa')).toEqual(before);
  });

  it('S9: removal is whole, and says what happened to the readings', async () => {
    await addDevice();
    await speak('aht20-aaaaaa', NOW - HOUR, 1);
    await speak('aht20-aaaaaa', NOW, 2);
    const { status, body } = await rig.ask('DELETE', '/api/v1/devices/aht20-aaaaaa');
    expect(status).toBe(200);
    expect(body).toEqual({
      message: 'device aht20-aaaaaa was removed; its 2 readings were kept',
      uid: 'aht20-aaaaaa',
      readings: 'kept',
      reading_count: 2,
    });
    expect((await rig.ask('GET', '/api/v1/devices/aht20-aaaaaa')).status).toBe(404);
    expect((await rig.ask('GET', '/api/v1/devices')).body).toEqual({ data: [] });
    expect((await rig.ask('GET', '/api/v1/devices?removed=true')).body).toMatchObject({
      data: [{ uid: 'aht20-aaaaaa', state: 'removed' }],
    });
    expect((await rig.store.placements('aht20-aaaaaa')).map(({ room }) => room.uid)).toEqual(['office']);
  });

  it('S9: removal with readings=delete leaves nothing', async () => {
    await addDevice();
    await speak('aht20-aaaaaa', NOW, 1);
    const { body } = await rig.ask('DELETE', '/api/v1/devices/aht20-aaaaaa?readings=delete');
    expect(body).toMatchObject({ readings: 'deleted', reading_count: 1 });
    expect(await rig.store.device('aht20-aaaaaa')).toBeUndefined();
    expect((await rig.ask('DELETE', '/api/v1/devices/aht20-aaaaaa?readings=maybe')).body).toMatchObject({
      details: [{ field: 'readings', problem: 'must be one of keep, delete' }],
    });
  });
});

describe('devices, beyond the older API', () => {
  it('are moved at a given time, which relabels what was measured since', async () => {
    await addDevice();
    await speak('aht20-aaaaaa', NOW - 2 * HOUR, 1);
    await speak('aht20-aaaaaa', NOW - HOUR / 2, 2);
    const moved_at = '2026-06-15T13:00:00+02:00';
    const { status, text } = await rig.ask('PUT', '/api/v1/devices/aht20-aaaaaa', {
      body: { room_name: 'Kitchen', moved_at },
    });
    expect(status, text).toBe(200);
    expect((await rig.ask('GET', '/api/v1/devices/aht20-aaaaaa/placements')).body).toEqual({
      data: [
        { room: { uid: 'office', name: 'Office' }, from: null, to: '2026-06-15T11:00:00.000Z' },
        { room: { uid: 'kitchen', name: 'Kitchen' }, from: '2026-06-15T11:00:00.000Z', to: null },
      ],
    });
    const { readings } = await rig.store.readings({
      scope: { deviceUid: 'aht20-aaaaaa' },
      fromMs: 0,
      toMs: NOW,
      order: 'oldest-first',
      limit: 9,
    });
    expect(readings.map(({ roomUid }) => roomUid)).toEqual(['office', 'kitchen']);
  });

  it.each([
    [{ moved_at: '2026-06-15T11:00:00Z' }, 'VALIDATION'],
    [{ room_name: 'Kitchen', moved_at: 'yesterday' }, 'VALIDATION'],
    [{ room_name: 'Kitchen', moved_at: '2026-06-16T00:00:00Z' }, 'INVALID'],
    [{ room_name: null, room_uid: 'office' }, 'VALIDATION'],
    [{}, 'VALIDATION'],
    [{ state: 'removed' }, 'VALIDATION'],
  ])('refuse the change %j', async (body, code) => {
    await addDevice();
    const { status, body: answer, text } = await rig.ask('PUT', '/api/v1/devices/aht20-aaaaaa', { body });
    expect(status, text).toBe(400);
    expect(answer['code']).toBe(code);
    expect((await rig.store.device('aht20-aaaaaa'))?.room?.uid).toBe('office');
  });

  it('are taken out of a room, and named by themselves again', async () => {
    await addDevice();
    const { body } = await rig.ask('PUT', '/api/v1/devices/aht20-aaaaaa', { body: { room_name: null, label: null } });
    expect(body).toMatchObject({ data: { device: { room: null, label: null }, room: null } });
  });

  it('are approved and refused', async () => {
    await addDevice();
    const refused = await rig.ask('PUT', '/api/v1/devices/aht20-aaaaaa', { body: { state: 'refused' } });
    expect(refused.body).toMatchObject({ data: { device: { state: 'refused' } } });
    const approved = await rig.ask('PUT', '/api/v1/devices/aht20-aaaaaa', { body: { state: 'active' } });
    expect(approved.body).toMatchObject({ data: { device: { state: 'active' } } });
  });

  it('S1: tell their newest value also when it is 0', async () => {
    await speak('aht20-bbbbbb', NOW, 1);
    expect((await rig.ask('GET', '/api/v1/devices/aht20-bbbbbb')).body).toMatchObject({
      data: { home_id: 'home-001', latest: { ts: '2026-06-15T12:00:00.000Z', temperature: 0, humidity: 0 } },
    });
  });

  it('are provisioned by the batch', async () => {
    const devices = [
      { device_uid: 'aht20-1', room_name: 'Office' },
      { device_uid: 'aht20-2', room_name: 'Kitchen', label: 'Fridge' },
    ];
    const { status, body } = await rig.ask('POST', '/api/v1/devices/batch', { body: { devices } });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      data: [
        { device: { uid: 'aht20-1' }, room: { uid: 'office' } },
        { device: { uid: 'aht20-2', label: 'Fridge' }, room: { uid: 'kitchen' } },
      ],
      message: '2 devices were added',
    });
  });

  it.each([
    ['is there already', 'aht20-aaaaaa', 409],
    ['comes twice', 'aht20-1', 409],
    ['breaks the rule', 'x y/z', 400],
  ])('are all refused when one of the batch %s, which is named by its index', async (_why, uid, status) => {
    await addDevice();
    const devices = [
      { device_uid: 'aht20-1', room_name: 'Attic' },
      { device_uid: 'aht20-2', room_name: 'Attic' },
      { device_uid: uid, room_name: 'Attic' },
    ];
    const answer = await rig.ask('POST', '/api/v1/devices/batch', { body: { devices } });
    expect(answer.status, answer.text).toBe(status);
    expect(answer.body).toMatchObject({ details: [{ field: 'devices.2.device_uid' }] });
    expect((await rig.store.devices()).map((device) => device.uid)).toEqual(['aht20-aaaaaa']);
    expect((await rig.store.rooms()).map((room) => room.uid)).toEqual(['office']);
  });

  it('are told to those who watch when they change', async () => {
    const watching = new AbortController();
    const events = rig.feed.subscribe(undefined, watching.signal)[Symbol.asyncIterator]();
    const next = events.next();
    await addDevice();
    expect((await next).value).toMatchObject({ change: { kind: 'device', deviceUid: 'aht20-aaaaaa' } });
    watching.abort();
  });

  it('S11: no answer holds a number of the data base', async () => {
    await addDevice();
    await speak('aht20-aaaaaa', NOW, 1);
    const paths = [
      'devices',
      'devices/aht20-aaaaaa',
      'devices/aht20-aaaaaa/placements',
      'rooms',
      'rooms/office',
      'readings/latest',
    ];
    for (const path of paths) {
      const { status, text } = await rig.ask('GET', `/api/v1/${path}`);
      expect(status, path).toBe(200);
      expect(text, path).not.toMatch(/"(id|rowid|device_id|room_id|home_id|epoch_id)":\d/);
    }
  });

  it('S11: readings of a room are found by its uid', async () => {
    await addDevice();
    await speak('aht20-aaaaaa', NOW, 1);
    expect((await rig.ask('GET', '/api/v1/readings/latest?roomId=office')).body).toMatchObject({
      data: [{ device_id: 'aht20-aaaaaa', room_id: 'office' }],
    });
    expect((await rig.ask('GET', '/api/v1/readings/latest?roomId=1')).body).toEqual({ data: [] });
  });
});
