import { beforeEach, describe, expect, it } from 'vitest';
import type { LimitedKind } from '../../../../src/server/ingest/ingest.ts';
import { SenderLimits } from '../../../../src/server/ingest/limits.ts';
import type { IngestMessage, ItemsMessage } from '../../../../src/server/store/ingest-store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordingLog, testLive } from '../../../support/recording.ts';

const PER_MINUTE = {
  maxEpochsPerMinute: 60,
  maxGapRecordsPerMinute: 600,
  maxRejectedPerMinute: 600,
  maxRoomsPerMinute: 20,
  maxStatusesPerMinute: 240,
};

let clock: FakeClock;
let log: ReturnType<typeof recordingLog>;
let limits: SenderLimits;
let limited: Partial<Record<LimitedKind, number>>;

beforeEach(() => {
  clock = new FakeClock();
  log = recordingLog();
  limited = {};
  limits = new SenderLimits({
    ingest: testLive(PER_MINUTE),
    clock,
    log,
    onLimited: (kind) => {
      limited[kind] = (limited[kind] ?? 0) + 1;
    },
  });
});

function reading(epoch: string, seq: number): ItemsMessage['items'][number] {
  return { tsMs: 1_757_537_685_793 + seq, temperatureCelsius: 21, humidityPercent: 50, epoch, seq };
}

function items(deviceUid: string, list: ItemsMessage['items'], bad: ItemsMessage['bad'] = []): ItemsMessage {
  return { kind: 'items', topic: 't', receivedMs: 0, homeId: 'h', deviceUid, items: list, bad };
}

function allowedItems(message: IngestMessage): number {
  const allowed = limits.allowed(message);
  return allowed?.kind === 'items' ? allowed.items.length : 0;
}

// C7
describe('one device that floods', () => {
  it('with an epoch for each item gets its rate, and the others all', () => {
    let taken = 0;
    for (let count = 0; count < 20; count += 1) {
      const many = Array.from({ length: 9_000 }, (_, index) => reading(`e${count}-${index}`, 1));
      taken += allowedItems(items('flood', many));
    }
    expect(taken).toBe(60);
    expect(limited.epoch).toBe(20 * 9_000 - 60);
    expect(allowedItems(items('other', [reading('k3v9x2', 1)]))).toBe(1);
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]?.message).toBe(
      'device flood: more than 60 new epochs a minute; the rest is not stored and not receipted',
    );
  });

  it('with bad numbers or bad messages gets its rate', () => {
    const bad = Array.from({ length: 24_990 }, (_, index) => ({
      reason: 'bad-shape' as const,
      detail: '',
      payload: '',
      payloadBytes: 0,
      epoch: 'k3v9x2',
      seq: index + 1,
    }));
    const allowed = limits.allowed(items('flood', [], bad));
    expect(allowed?.kind === 'items' && allowed.bad.length).toBe(600);
    expect(limits.allowed(items('flood', [], bad))).toBeUndefined();
  });

  it('with a room in each status gets its rate of rooms; the rest of the status is taken', () => {
    const rooms: unknown[] = [];
    for (let count = 0; count < 200; count += 1) {
      const allowed = limits.allowed({
        kind: 'status',
        topic: 't',
        receivedMs: 0,
        homeId: 'h',
        deviceUid: 'flood',
        status: { state: 'online', room: `room ${count}`, interval_s: 60 },
        isRetained: false,
      });
      if (allowed?.kind === 'status') rooms.push(allowed.status.room);
    }
    expect(rooms).toHaveLength(200);
    expect(rooms.filter((room) => room !== undefined)).toHaveLength(20);
  });

  it('gets its rate again as time passes', async () => {
    const many = (from: number): ItemsMessage =>
      items(
        'flood',
        Array.from({ length: 1_000 }, (_, index) => reading(`e${from + index}`, 1)),
      );
    allowedItems(many(0));
    await clock.advance(30_000);
    expect(allowedItems(many(1_000))).toBe(30);
  });
});

describe('no real device meets a limit', () => {
  it('a backlog of one journal passes whole, at any speed', () => {
    for (let message = 0; message < 200; message += 1) {
      const list = Array.from({ length: 500 }, (_, index) => reading('k3v9x2', message * 500 + index + 1));
      const whole = items('device', list);
      expect(limits.allowed(whole)).toBe(whole);
    }
    expect(limited).toEqual({});
  });

  it('and what is remembered of devices is bounded', () => {
    for (let device = 0; device < 30_000; device += 1) allowedItems(items(`d${device}`, [reading('k3v9x2', 1)]));
    // The first ones are forgotten, and taken again as new.
    expect(allowedItems(items('d0', [reading('k3v9x2', 2)]))).toBe(1);
    expect(limited).toEqual({});
  });
});
