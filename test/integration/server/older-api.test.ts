import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiRig } from '../../support/api-rig.ts';

/**
 * The documented examples of the older server's API: same routes, parameters and shapes. Fields may be added; none is missing or
 * of another type.
 */

const UID = 'aht20-f49c53';

describe('the older API', () => {
  let rig: ApiRig;

  beforeEach(async () => {
    rig = await ApiRig.open({ nowMs: Date.parse('2025-09-11T12:00:00.000Z'), timeZone: 'UTC' });
  });
  afterEach(() => rig.close());

  /** The three readings of its documentation, of a device that was provisioned. */
  async function documented(): Promise<void> {
    await rig.ask('/api/v1/devices', 'POST', {
      device_uid: UID,
      label: 'Capteur Température/Humidité AHT20',
      room_name: 'Salon',
    });
    await rig.readings(UID, [
      { at: '2025-09-11T11:50:44.171Z', t: 20.9, h: 60.19 },
      { at: '2025-09-11T11:51:14.052Z', t: 20.87, h: 59.14 },
      { at: '2025-09-11T11:51:44.072Z', t: 20.87, h: 60.91 },
    ]);
  }

  describe('GET /health', () => {
    it('says ok', async () => {
      const answer = await rig.ask('/health');
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ status: 'ok' });
    });
  });

  describe('GET /api/v1/devices', () => {
    it('lists the devices with their rooms', async () => {
      await documented();
      const answer = await rig.ask('/api/v1/devices');
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({
        data: [
          {
            uid: UID,
            room: { uid: 'salon', name: 'Salon' },
            label: 'Capteur Température/Humidité AHT20',
            created_at: '2025-09-11T12:00:00.000Z',
            last_seen_at: '2025-09-11T11:51:44.072Z',
          },
        ],
      });
    });

    it('says null for what nobody knows', async () => {
      await rig.readings('plain', [{ at: '2025-09-11T11:51:44.072Z' }]);
      expect(await rig.data('/api/v1/devices')).toMatchObject([{ uid: 'plain', room: null, label: null }]);
    });
  });

  describe('POST /api/v1/devices', () => {
    it('provisions a device and makes its room, whose uid comes from its name', async () => {
      const body = { device_uid: 'aht20-kitchen01', label: 'Kitchen Temperature Sensor', room_name: 'Salle de Bain' };
      const answer = await rig.ask('/api/v1/devices', 'POST', body);
      expect(answer.status).toBe(201);
      expect(answer.body).toMatchObject({
        data: {
          device: { uid: 'aht20-kitchen01', label: 'Kitchen Temperature Sensor' },
          room: { uid: 'salle-de-bain', name: 'Salle de Bain' },
        },
        message: expect.any(String) as string,
      });
      expect(await rig.data('/api/v1/rooms')).toMatchObject([
        { uid: 'salle-de-bain', name: 'Salle de Bain', floor: null, side: null },
      ]);
    });

    it('takes the uid of the room when it is given', async () => {
      const answer = await rig.ask('/api/v1/devices', 'POST', {
        device_uid: UID,
        room_name: 'Kitchen',
        room_uid: 'cuisine',
      });
      expect(answer.body).toMatchObject({ data: { room: { uid: 'cuisine', name: 'Kitchen' } } });
    });

    it('answers 400 when the uid is missing, 409 when the device exists', async () => {
      expect((await rig.ask('/api/v1/devices', 'POST', { room_name: 'Kitchen' })).status).toBe(400);
      await documented();
      const again = await rig.ask('/api/v1/devices', 'POST', { device_uid: UID, room_name: 'Salon' });
      expect(again.status).toBe(409);
      expect(again.body).toMatchObject({ error: expect.any(String) as string });
    });
  });

  describe('GET /api/v1/devices/:uid', () => {
    it('gives one device, or 404', async () => {
      await documented();
      expect(await rig.data(`/api/v1/devices/${UID}`)).toMatchObject({
        uid: UID,
        room: { uid: 'salon', name: 'Salon' },
        label: 'Capteur Température/Humidité AHT20',
      });
      const unknown = await rig.ask('/api/v1/devices/nobody');
      expect(unknown.status).toBe(404);
      expect(unknown.body).toMatchObject({ error: expect.any(String) as string });
    });
  });

  describe('PUT /api/v1/devices/:uid', () => {
    it('renames and moves', async () => {
      await documented();
      const answer = await rig.ask(`/api/v1/devices/${UID}`, 'PUT', {
        label: 'Living Room Main Sensor',
        room_name: 'Living Room',
      });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({
        data: {
          device: { uid: UID, label: 'Living Room Main Sensor' },
          room: { uid: 'living-room', name: 'Living Room' },
        },
        message: expect.any(String) as string,
      });
    });

    it('dates a move: what was measured since belongs to the new room', async () => {
      await documented();
      const moved = await rig.ask(`/api/v1/devices/${UID}`, 'PUT', {
        room_name: 'Kitchen',
        moved_at: '2025-09-11T11:51:30.000Z',
      });
      expect(moved.status).toBe(200);
      const readings = await rig.data<{ ts: string; room_id: string }[]>(`/api/v1/readings?device=${UID}`);
      expect(readings.map(({ room_id }) => room_id)).toEqual(['salon', 'salon', 'kitchen']);
    });

    it('answers 400 to a move in the future or without a room, 404 for an unknown device', async () => {
      await documented();
      const future = { room_name: 'Kitchen', moved_at: '2025-09-11T12:00:01.000Z' };
      expect((await rig.ask(`/api/v1/devices/${UID}`, 'PUT', future)).status).toBe(400);
      const nowhere = { moved_at: '2025-09-11T11:51:30.000Z' };
      expect((await rig.ask(`/api/v1/devices/${UID}`, 'PUT', nowhere)).status).toBe(400);
      expect((await rig.ask('/api/v1/devices/nobody', 'PUT', { label: 'x' })).status).toBe(404);
    });
  });

  describe('DELETE /api/v1/devices/:uid', () => {
    it('says which device it was, or 404', async () => {
      await documented();
      const answer = await rig.ask(`/api/v1/devices/${UID}`, 'DELETE');
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ message: expect.any(String) as string, uid: UID });
      expect((await rig.ask('/api/v1/devices/nobody', 'DELETE')).status).toBe(404);
    });
  });

  describe('GET /api/v1/rooms', () => {
    it('lists the rooms', async () => {
      await documented();
      expect(await rig.data('/api/v1/rooms')).toMatchObject([{ uid: 'salon', name: 'Salon', floor: null, side: null }]);
    });
  });

  describe('GET /api/v1/devices/:uid/readings', () => {
    it('gives the newest first, exactly as documented', async () => {
      await documented();
      const answer = await rig.ask(`/api/v1/devices/${UID}/readings?limit=3`);
      expect(answer.body).toEqual({
        data: [
          { ts: '2025-09-11T11:51:44.072Z', temperature: 20.87, humidity: 60.91, source: 'mqtt' },
          { ts: '2025-09-11T11:51:14.052Z', temperature: 20.87, humidity: 59.14, source: 'mqtt' },
          { ts: '2025-09-11T11:50:44.171Z', temperature: 20.9, humidity: 60.19, source: 'mqtt' },
        ],
      });
    });

    it('gives ten when nothing is said, and tells where the rest is', async () => {
      await rig.readings(
        UID,
        Array.from({ length: 25 }, (_, index) => ({
          at: Date.parse('2025-09-11T11:00:00Z') + index * 30_000,
          t: index,
        })),
      );
      const first = await rig.ask(`/api/v1/devices/${UID}/readings`);
      const { data, next } = first.body as { data: { temperature: number }[]; next: string };
      expect(data.map(({ temperature }) => temperature)).toEqual([24, 23, 22, 21, 20, 19, 18, 17, 16, 15]);
      const second = await rig.data<{ temperature: number }[]>(
        `/api/v1/devices/${UID}/readings?after=${next}&limit=100`,
      );
      expect(second.map(({ temperature }) => temperature)).toEqual([14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    });

    it('keeps to from and to', async () => {
      await documented();
      const url = `/api/v1/devices/${UID}/readings?from=2025-09-11T11:51:00Z&to=2025-09-11T11:51:44.072Z`;
      expect(await rig.data(url)).toMatchObject([{ ts: '2025-09-11T11:51:14.052Z' }]);
    });

    it('gives averages with minimum and maximum by day and by hour, newest first', async () => {
      await rig.readings(UID, [
        { at: '2025-06-01T08:00:00.000Z', t: 20, h: 50 },
        { at: '2025-06-01T20:00:00.000Z', t: 24, h: 60 },
        { at: '2025-06-02T09:00:00.000Z', t: 30, h: 70 },
      ]);
      const range = 'from=2025-06-01T00:00:00.000Z&to=2025-06-03T00:00:00.000Z';
      expect(await rig.data(`/api/v1/devices/${UID}/readings?bucket=day&${range}`)).toEqual([
        bucket('2025-06-02T00:00:00.000Z', [30, 30, 30], [70, 70, 70], 1),
        bucket('2025-06-01T00:00:00.000Z', [22, 20, 24], [55, 50, 60], 2),
      ]);
      expect(await rig.data(`/api/v1/devices/${UID}/readings?bucket=hour&limit=2`)).toEqual([
        bucket('2025-06-02T09:00:00.000Z', [30, 30, 30], [70, 70, 70], 1),
        bucket('2025-06-01T20:00:00.000Z', [24, 24, 24], [60, 60, 60], 1),
      ]);
    });

    it('pages through buckets, too, across holes of months', async () => {
      const days = ['2023-01-05', '2023-01-06', '2024-06-30', '2025-09-10', '2025-09-11'];
      await rig.readings(
        UID,
        days.map((day, index) => ({ at: `${day}T06:30:00Z`, t: index })),
      );
      for (const size of ['hour', 'day']) {
        const found: number[] = [];
        let after = '';
        do {
          const { body } = await rig.ask(`/api/v1/devices/${UID}/readings?bucket=${size}&limit=2${after}`);
          const { data, next } = body as { data: { temperature: number }[]; next?: string };
          found.push(...data.map(({ temperature }) => temperature));
          after = next === undefined ? '' : `&after=${encodeURIComponent(next)}`;
        } while (after !== '' && found.length <= 5);
        expect(found).toEqual([4, 3, 2, 1, 0]);
      }
    });

    it('gives an empty list for a device that never spoke', async () => {
      await rig.ask('/api/v1/devices', 'POST', { device_uid: UID, room_name: 'Salon' });
      expect(await rig.data(`/api/v1/devices/${UID}/readings`)).toEqual([]);
      expect(await rig.data(`/api/v1/devices/${UID}/readings?bucket=day`)).toEqual([]);
    });

    it.each([
      ['limit=0', 'limit'],
      ['limit=10001', 'limit'],
      ['limit=many', 'limit'],
      ['bucket=week', 'bucket'],
      ['from=yesterday', 'from'],
      ['to=2025-02-30T00:00:00Z', 'to'],
      ['from=1757537685', 'from'],
      ['from=2025-09-02T00:00:00Z&to=2025-09-01T00:00:00Z', 'from'],
      ['tz=Mars/Olympus', 'tz'],
      ['tz=%2B05:30', 'tz'],
      ['tz=-02', 'tz'],
      ['after=nonsense', 'after'],
      ['bucket=day&after=nonsense', 'after'],
    ])('answers 400 to ?%s and names the parameter', async (query, field) => {
      await documented();
      const answer = await rig.ask(`/api/v1/devices/${UID}/readings?${query}`);
      expect(answer.status).toBe(400);
      expect((answer.body as { error: string }).error).toContain(field);
    });

    it('answers 404 for an unknown device', async () => {
      const answer = await rig.ask('/api/v1/devices/nobody/readings');
      expect(answer.status).toBe(404);
      expect(answer.body).toMatchObject({
        error: expect.stringContaining('nobody') as string,
        code: 'DEVICE_NOT_FOUND',
      });
    });
  });

  describe('GET /api/v1/readings/latest', () => {
    it('gives the newest reading of each device, exactly the documented fields and more', async () => {
      await documented();
      expect(await rig.data('/api/v1/readings/latest')).toMatchObject([
        { device_id: UID, room_id: 'salon', ts: '2025-09-11T11:51:44.072Z', temperature: 20.87, humidity: 60.91 },
      ]);
      expect(await rig.data(`/api/v1/readings/latest?deviceId=${UID}`)).toHaveLength(1);
    });

    it('gives an empty list for an unknown device or room, whatever it is called', async () => {
      await documented();
      for (const query of ['deviceId=nobody', 'roomId=nowhere', 'deviceId=x%20y/z', 'roomId=1', "roomId='--"]) {
        const answer = await rig.ask(`/api/v1/readings/latest?${query}`);
        expect([answer.status, answer.body]).toEqual([200, { data: [] }]);
      }
    });

    it('S11: roomId finds the room by its uid, and no internal number is shown', async () => {
      await documented();
      await rig.readings('elsewhere', [{ at: '2025-09-11T11:51:00Z' }]);
      const inSalon = await rig.data<object[]>('/api/v1/readings/latest?roomId=salon');
      expect(inSalon).toMatchObject([{ device_id: UID, room_id: 'salon' }]);
      const all = await rig.data<Record<string, unknown>[]>('/api/v1/readings/latest');
      expect(all.map(({ device_id, room_id }) => [device_id, room_id])).toEqual([
        [UID, 'salon'],
        ['elsewhere', null],
      ]);
      expect(Object.keys(all[0] ?? {})).not.toContain('id');
    });

    it('S1: 0 °C and 0 % are values, everywhere', async () => {
      await rig.readings(UID, [{ at: '2025-09-11T11:51:44.072Z', t: 0, h: 0 }]);
      const zero = { temperature: 0, humidity: 0 };
      expect(await rig.data('/api/v1/readings/latest')).toMatchObject([zero]);
      expect(await rig.data(`/api/v1/readings?device=${UID}`)).toMatchObject([zero]);
      expect(await rig.data(`/api/v1/devices/${UID}/readings`)).toMatchObject([zero]);
      expect(await rig.data(`/api/v1/devices/${UID}/readings?bucket=hour`)).toMatchObject([
        { temperature: 0, temperature_min: 0, temperature_max: 0, humidity: 0, humidity_min: 0, humidity_max: 0 },
      ]);
      const spread = { min: 0, avg: 0, max: 0 };
      expect(await rig.data(`/api/v1/series?device=${UID}&bucket=1h`)).toMatchObject({
        sources: [
          {
            buckets: expect.arrayContaining([
              expect.objectContaining({ temperature: spread, humidity: spread }),
            ]) as object[],
          },
        ],
      });
      expect((await rig.ask(`/api/v1/export?device=${UID}`)).text).toContain(',0,0,');
    });

    it('S6: a late reading moves neither the newest reading nor last_seen_at back', async () => {
      await documented();
      await rig.readings(UID, [{ at: '2025-09-01T00:00:00Z', t: -5 }]);
      expect(await rig.data('/api/v1/readings/latest')).toMatchObject([{ ts: '2025-09-11T11:51:44.072Z' }]);
      expect(await rig.data(`/api/v1/devices/${UID}`)).toMatchObject({ last_seen_at: '2025-09-11T11:51:44.072Z' });
      expect(await rig.data(`/api/v1/devices/${UID}/readings?limit=100`)).toHaveLength(4);
    });
  });

  describe('errors', () => {
    it.each([
      ['GET', '/api/v1/nothing'],
      ['GET', '/nothing'],
      ['POST', '/api/v1/devices'],
    ] as const)('are JSON with a text in "error": %s %s', async (method, url) => {
      const answer = await rig.ask(
        url,
        method,
        method === 'POST' ? { device_uid: 'x y/z', room_name: 'Salon' } : undefined,
      );
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.body).toMatchObject({ error: expect.any(String) as string });
    });
  });
});

function bucket(ts: string, t: readonly [number, number, number], h: readonly [number, number, number], count: number) {
  const [temperature, temperature_min, temperature_max] = t;
  const [humidity, humidity_min, humidity_max] = h;
  return { ts, temperature, temperature_min, temperature_max, humidity, humidity_min, humidity_max, count };
}
