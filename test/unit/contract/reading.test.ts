import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WireError } from '../../../src/contract/json.ts';
import {
  decodeItem,
  encodeBacklog,
  encodeGapRecord,
  encodeReading,
  GAP_REASONS,
  type GapRecord,
  type Reading,
} from '../../../src/contract/reading.ts';

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,50}$/);
const centi = (min: number, max: number) => fc.integer({ min: min * 100, max: max * 100 }).map((value) => value / 100);

const reading: fc.Arbitrary<Reading> = fc.record(
  {
    temperatureCelsius: centi(-50, 150),
    humidityPercent: centi(0, 100),
    tsMs: fc.integer({ min: 0, max: 4e12 }),
    epoch: id,
    seq: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
    clock: fc.constant('unsynced' as const),
    trigger: fc.constant('command' as const),
  },
  { requiredKeys: ['temperatureCelsius', 'humidityPercent', 'tsMs', 'epoch', 'seq'] },
);

const gapRecord: fc.Arbitrary<GapRecord> = fc
  .record({
    ofEpoch: id,
    from: fc.integer({ min: 1, max: 1e9 }),
    length: fc.option(fc.integer({ min: 0, max: 1e6 }), { nil: undefined }),
    reason: fc.constantFrom(...GAP_REASONS),
    tsMs: fc.integer({ min: 0, max: 4e12 }),
    epoch: id,
    seq: fc.integer({ min: 1, max: 1e9 }),
  })
  .map(({ ofEpoch, from, length, reason, tsMs, epoch, seq }) => ({
    gap: { ofEpoch, from, ...(length !== undefined && { to: from + length, count: length }), reason },
    tsMs,
    epoch,
    seq,
  }));

describe('a reading on the wire', () => {
  it('is written as the older system reads it, with the number behind', () => {
    const text = encodeReading({
      temperatureCelsius: 21.02,
      humidityPercent: 63.33,
      tsMs: 1757537685793,
      epoch: 'k3v9x2',
      seq: 1042,
    });
    expect(text).toBe('{"temperature_c":21.02,"humidity_pct":63.33,"ts":1757537685793,"epoch":"k3v9x2","seq":1042}');
  });

  it('is understood when it comes from an older agent, without a number and with fields we do not know', () => {
    expect(decodeItem({ temperature_c: 0, humidity_pct: 0, ts: 1757537685793, msg_id: 'x' })).toEqual({
      temperatureCelsius: 0,
      humidityPercent: 0,
      tsMs: 1757537685793,
    });
  });

  it('comes back as it went, gap records too', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(reading, gapRecord), { maxLength: 20 }), (items) => {
        const decoded = (JSON.parse(encodeBacklog(items)) as unknown[]).map(decodeItem);
        expect(decoded).toEqual(items);
      }),
    );
  });

  it('names what is wrong with a bad one', () => {
    for (const [value, message] of [
      [{ temperature_c: '21', humidity_pct: 50, ts: 1 }, 'temperature_c must be a number from -100 to 200, found "21"'],
      [{ temperature_c: 21, humidity_pct: 101, ts: 1 }, 'humidity_pct must be a number from 0 to 100, found 101'],
      [{ temperature_c: 21, humidity_pct: 50 }, 'ts must be a number from 0 to 253402300799999, found nothing'],
      [{ temperature_c: 21, humidity_pct: 50, ts: 1.5 }, 'ts must be a whole number, found 1.5'],
      [{ temperature_c: 21, humidity_pct: 50, ts: 1, seq: 3 }, 'epoch must be 1 to 50 of the characters'],
      [[], 'a reading must be a JSON object'],
      [{ gap: { epoch: 'e', from: 1, reason: 'tired' }, ts: 1, epoch: 'e', seq: 1 }, 'gap.reason must be one of'],
    ] as const) {
      expect(() => decodeItem(value)).toThrow(message);
    }
  });

  it('never fails with anything but a WireError, whatever JSON comes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          decodeItem(value);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
    );
  });

  it('says of a gap which numbers of which epoch are gone and why', () => {
    const gap = { ofEpoch: 'k3v9x2', from: 10, to: 19, count: 5, reason: 'thinned' } as const;
    expect(encodeGapRecord({ gap, tsMs: 1, epoch: 'k3v9x2', seq: 20 })).toBe(
      '{"gap":{"epoch":"k3v9x2","from":10,"to":19,"count":5,"reason":"thinned"},"ts":1,"epoch":"k3v9x2","seq":20}',
    );
  });
});
