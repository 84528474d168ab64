import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settledStamp } from '../../../src/device/journal/journal.ts';
import {
  decodeGap,
  decodeReading,
  decodeSettlement,
  encodeGap,
  encodeReading,
  encodeSettlement,
  recordKind,
  recordReleasedTo,
  recordSeq,
  SLOT_BYTES,
  sealRecord,
  segmentSeed,
} from '../../../src/device/journal/record.ts';
import { BOOT_A } from '../../support/journal-rig.ts';

const SEED = 20_260_104;
const SEGMENT = segmentSeed('aht20-0a1b2c', 'k3v9x2aa', 1);
const number48 = fc.integer({ min: 0, max: 2 ** 48 - 2 });

describe('a record on disk', () => {
  it('has the bytes that README.md names', () => {
    const reading = {
      kind: 'reading' as const,
      seq: 0x0102_0304_0506,
      temperatureCelsius: -14.59,
      humidityPercent: 57.69,
      stamp: { state: 'pending' as const, tsMs: 1_757_537_685_793 },
      bootId: BOOT_A,
      monotonicMs: 1.5,
      trigger: 'command' as const,
      frame: Uint8Array.of(0x18, 0x93, 0xac, 0x95, 0x2a, 0xc5, 0xb3),
    };
    const slot = sealRecord(encodeReading(reading, BOOT_A), SEGMENT, 3, 1_041);
    expect(slot.subarray(4).toString('hex')).toBe(
      [
        '01', // a reading
        '06', // pending, asked for
        '060504030201', // seq
        '110400000000', // released up to 1041
        '21d168359901', // ts
        '000000000000f83f', // monotonic 1.5 ms
        '11111111111141118111111111111111', // boot
        '4dfa', // -1459 hundredths of a degree
        '8916', // 5769 hundredths of a percent
        '07', // bytes of the frame
        '1893ac952ac5b3',
        '00000000',
      ].join(''),
    );
    expect(recordKind(slot, SEGMENT, 3)).toBe('reading');
    expect(decodeReading(slot)).toEqual(reading);
  });

  it('keeps that the moment of a reading is known only roughly', () => {
    const reading = {
      kind: 'reading' as const,
      seq: 7,
      temperatureCelsius: 20,
      humidityPercent: 50,
      stamp: { state: 'pending' as const, tsMs: 1_757_537_685_793 },
      bootId: BOOT_A,
      monotonicMs: 1.5,
      isTimeRough: true as const,
    };
    const slot = sealRecord(encodeReading(reading, BOOT_A), SEGMENT, 3, 0);
    const read = decodeReading(slot);
    expect(read).toEqual(reading);
    expect(settledStamp(read, { bootId: BOOT_A, wallMinusMonotonicMs: 1e12, state: 'synced' })).toEqual({
      state: 'unsynced',
      tsMs: 1e12 + 2,
    });
  });

  it('is nobody else: not in another slot, segment, epoch or device', () => {
    const slot = sealRecord(encodeSettlement(settlement(7)), SEGMENT, 3, 0);
    expect(recordKind(slot, SEGMENT, 4)).toBe('damaged');
    for (const seed of [
      segmentSeed('aht20-0a1b2c', 'k3v9x2aa', 2),
      segmentSeed('aht20-0a1b2c', 'k3v9x2ab', 1),
      segmentSeed('aht20-0a1b2d', 'k3v9x2aa', 1),
    ]) {
      expect(recordKind(slot, seed, 3)).toBe('damaged');
    }
    expect(recordKind(Buffer.alloc(SLOT_BYTES), SEGMENT, 3)).toBe('empty');
  });

  it('gives back every gap and every settlement as it was written', () => {
    const gap = fc.record({
      ofEpoch: fc.constantFrom('k3v9x2aa', 'other', 'nine_9999'),
      from: number48,
      to: fc.option(number48, { nil: undefined }),
      count: fc.option(number48, { nil: undefined }),
      reason: fc.constantFrom('thinned' as const, 'dropped' as const, 'damaged' as const, 'lost-in-memory' as const),
      fromTsMs: fc.option(number48, { nil: undefined }),
      toTsMs: fc.option(number48, { nil: undefined }),
    });
    fc.assert(
      fc.property(gap, number48, fc.integer({ min: 0, max: 6 }), number48, (written, seq, level, releasedTo) => {
        const known = Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined));
        const entry = { kind: 'gap' as const, seq, gap: { ...known, ...required(written) }, tsMs: seq, level };
        const slot = sealRecord(encodeGap(entry, 'k3v9x2aa'), SEGMENT, 0, releasedTo);
        expect([recordKind(slot, SEGMENT, 0), recordSeq(slot), recordReleasedTo(slot)]).toEqual([
          'gap',
          seq,
          releasedTo,
        ]);
        expect(decodeGap(slot, 'k3v9x2aa')).toEqual(entry);
      }),
      { seed: SEED },
    );
    fc.assert(
      fc.property(fc.oneof(fc.double({ noNaN: true }), fc.constant('as-stamped' as const)), number48, (offset, seq) => {
        const written = { ...settlement(seq), wallMinusMonotonicMs: offset };
        expect(decodeSettlement(sealRecord(encodeSettlement(written), SEGMENT, 0, 0))).toEqual(written);
      }),
      { seed: SEED },
    );
  });
});

function settlement(uptoSeq: number): Parameters<typeof encodeSettlement>[0] {
  return { bootId: BOOT_A, uptoSeq, wallMinusMonotonicMs: 'as-stamped', state: 'unsynced' };
}

function required<G extends { ofEpoch: string; from: number; reason: string }>({
  ofEpoch,
  from,
  reason,
}: G): Pick<G, 'ofEpoch' | 'from' | 'reason'> {
  return { ofEpoch, from, reason };
}
