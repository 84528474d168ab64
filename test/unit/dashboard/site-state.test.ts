import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openZone } from '../../../src/calendar/local-time.ts';
import { factsOf } from '../../../src/dashboard/now/room-facts.ts';
import {
  NOTHING_KNOWN,
  reduce,
  type SiteState,
  summaryOf,
  withDevices,
} from '../../../src/dashboard/state/site-state.ts';
import { createSnapshotStore, openKeyValue } from '../../../src/dashboard/state/snapshot.ts';
import { bucket, device, reading } from './samples.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const HOUR = 3_600_000;
const KNOWN: SiteState = { ...NOTHING_KNOWN, devices: [device('a'), device('b')], loadedMs: NOW };

const heard = (heardMs: number) => ({ heardMs, lateAfterMs: 150_000, silentAfterMs: 390_000 });

describe('live changes', () => {
  it('C4: what the server calls the newest replaces what was ahead of the time, and keeps the day in the picture', () => {
    const day = { ...KNOWN, recent: { a: [bucket(NOW - 2 * HOUR, NOW - HOUR, 10)] } };
    const ahead = reduce(day, { kind: 'reading', reading: reading('a', NOW + 9 * HOUR), receivedMs: NOW }).state;
    expect(ahead.recent['a']).toHaveLength(2);
    const right = reduce(ahead, {
      kind: 'reading',
      reading: reading('a', NOW + 30_000),
      receivedMs: NOW + 30_000,
    }).state;
    expect(right.latest['a']?.tsMs).toBe(NOW + 30_000);
    const silent = device('a', { contact: heard(NOW) });
    const [card] = factsOf({ ...ahead, devices: [silent] }, NOW + 20 * 60_000, openZone('UTC'));
    expect(card).toMatchObject({ health: 'silent', ageMs: 20 * 60_000 });
  });

  it('the newest reading of a device counts, whatever the order in which they come', () => {
    const readings = [NOW - 2000, NOW, NOW - 1000].map((ms) => reading('a', ms, ms / 1e10));
    const state = readings.reduce(
      (now, one) => reduce(now, { kind: 'reading', reading: one, receivedMs: one.tsMs }).state,
      KNOWN,
    );
    expect(state.latest['a']).toEqual(readings[1]);
  });

  it('the same reading twice changes nothing', () => {
    const once = reduce(KNOWN, { kind: 'reading', reading: reading('a', NOW), receivedMs: NOW }).state;
    expect(reduce(once, { kind: 'reading', reading: reading('a', NOW), receivedMs: NOW }).state).toBe(once);
  });

  it('live readings are gathered in five minutes, and those older than a day go', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -40, max: 85, noNaN: true }), { minLength: 1, maxLength: 60 }),
        (values) => {
          let state = KNOWN;
          values.forEach((celsius, index) => {
            state = reduce(state, {
              kind: 'reading',
              reading: reading('a', NOW + index, celsius),
              receivedMs: NOW + index,
            }).state;
          });
          const [gathered, ...others] = state.recent['a'] ?? [];
          expect(others).toEqual([]);
          expect(gathered).toMatchObject({ count: values.length });
          expect(gathered?.temperature?.min).toBe(Math.min(...values));
          expect(gathered?.temperature?.max).toBe(Math.max(...values));
          expect(gathered?.temperature?.avg).toBeCloseTo(values.reduce((a, b) => a + b) / values.length, 6);
        },
      ),
      { seed: 3, numRuns: 50 },
    );
    const old = { ...KNOWN, recent: { a: [bucket(NOW - 30 * HOUR, NOW - 29 * HOUR, 10)] } };
    expect(
      reduce(old, { kind: 'reading', reading: reading('a', NOW), receivedMs: NOW }).state.recent['a'],
    ).toHaveLength(1);
  });

  it('asks for what the stream only points at', () => {
    const asks = [
      { kind: 'device', deviceUid: 'a' },
      { kind: 'resync' },
      { kind: 'reading', reading: reading('new', NOW), receivedMs: NOW },
      { kind: 'reading', reading: reading('a', NOW), receivedMs: NOW },
      { kind: 'gap', deviceUid: 'a' },
      { kind: 'history', deviceUid: 'a', fromMs: 0, toMs: NOW - HOUR },
      { kind: 'history', deviceUid: 'a', fromMs: 0, toMs: NOW - 40 * HOUR },
    ] as const;
    expect(asks.map((change) => reduce(KNOWN, change).ask)).toEqual([
      'devices',
      'everything',
      'devices',
      undefined,
      undefined,
      'recent',
      undefined,
    ]);
  });

  it('an answer that was on its way does not take back what the stream has told since', () => {
    const live = reduce(KNOWN, { kind: 'reading', reading: reading('a', NOW, 22), receivedMs: NOW }).state;
    const answered = withDevices(live, [
      device('a', { latest: reading('a', NOW - 60_000, 21), contact: heard(NOW - 60_000) }),
    ]);
    expect(answered.latest['a']?.celsius).toBe(22);
    expect(
      withDevices(live, [device('a', { latest: reading('a', NOW + 1, 23), contact: heard(NOW + 1) })]).latest['a']
        ?.celsius,
    ).toBe(23);
  });
});

describe('today and the last day', () => {
  it('least and most since local midnight; means by time, not by how often was measured', () => {
    const buckets = [
      bucket(NOW - 14 * HOUR, NOW - 13 * HOUR, 10, 2),
      { ...bucket(NOW - 2 * HOUR, NOW - HOUR, 20, 1), count: 3600 },
      bucket(NOW - HOUR, NOW, 24, 0.5),
    ];
    expect(summaryOf(buckets, NOW - 12 * HOUR)).toEqual({
      today: { min: 19, max: 24.5 },
      mean: { celsius: 18, percent: 50 },
    });
    expect(summaryOf([], NOW)).toEqual({ today: null, mean: null });
  });
});

describe('cards', () => {
  const zone = openZone('Europe/Brussels');
  const room = (uid: string) => ({ uid, name: uid });
  const state: SiteState = {
    ...KNOWN,
    rooms: [
      { uid: 'garden', name: 'Garden', floor: null, isOutdoors: true },
      { uid: 'cellar', name: 'Cellar', floor: null, isOutdoors: false },
    ],
    devices: [
      device('g', { room: room('garden') }),
      device('c', { room: room('cellar'), label: 'Shelf' }),
      device('p', { state: 'pending' }),
      device('x', { state: 'refused' }),
    ],
    latest: { g: reading('g', NOW, 0, 90), c: reading('c', NOW, 20, 50) },
    heard: { g: NOW, c: NOW },
    recent: { g: [bucket(NOW - HOUR, NOW, 0)], c: [bucket(NOW - HOUR, NOW, 20)] },
  };

  it('0 °C is a value, outdoors comes last, and only devices in service have a card', () => {
    const facts = factsOf(state, NOW, zone);
    expect(facts.map(({ device: { uid } }) => uid)).toEqual(['c', 'g']);
    expect(facts[1]?.reading?.celsius).toBe(0);
    expect(facts[1]?.comfort).toBeNull();
    expect(facts[0]?.subtitle).toBe('Shelf');
  });

  it('the mould hint needs a device outdoors for the wall; without one it names the surface', () => {
    const [cellar] = factsOf(state, NOW, zone);
    expect(cellar?.comfort?.mould).toMatchObject({ level: 'watch', wallCelsius: 14 });
    const [alone] = factsOf({ ...state, rooms: [] }, NOW, zone);
    expect(alone?.comfort?.mould).toBeNull();
    expect(alone?.comfort?.mouldBelow).toBeCloseTo(12.617, 2);
  });
});

describe('what is kept for times without a connection', () => {
  const storage = () => {
    const kept = new Map<string, string>();
    return {
      get: (key: string) => kept.get(key) ?? null,
      set: (key: string, value: string) => void kept.set(key, value),
      remove: (key: string) => void kept.delete(key),
      kept,
    };
  };

  it('comes back as it was', () => {
    const store = createSnapshotStore(storage(), 'http://house/');
    store.save(KNOWN);
    expect(store.load()).toEqual(KNOWN);
    store.forget();
    expect(store.load()).toBeUndefined();
  });

  it.each(['', '{', 'null', '[]', '{"version":0,"state":{}}', '{"version":1}', '{"version":1,"state":{"loadedMs":1}}'])(
    'is ignored where it is %s',
    (text) => {
      const { kept, ...keyValue } = storage();
      kept.set('techtemp.snapshot:http://house/', text);
      expect(createSnapshotStore(keyValue, 'http://house/').load()).toBeUndefined();
    },
  );

  it('a browser that forbids storage, or has no room, is no reason to fail', () => {
    const forbidden = openKeyValue(() => {
      throw new Error('SecurityError');
    });
    createSnapshotStore(forbidden, '').save(KNOWN);
    expect(createSnapshotStore(forbidden, '').load()).toBeUndefined();
  });
});
