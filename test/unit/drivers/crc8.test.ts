import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc8 } from '../../../drivers/aht20/frame.ts';

const bytes = (hex: string): Uint8Array => Buffer.from(hex, 'hex');

describe('crc8', () => {
  it.each([
    ['313233343536373839', 0xf7],
    ['beef', 0x92],
    ['1C65B425CD26', 0xc6],
    ['1893AC952AC5', 0xb3],
    ['000000000000', 0x6a],
    ['FFFFFFFFFFFF', 0x22],
    ['', 0xff],
  ])('of %s is the published value', (hex, expected) => {
    expect(crc8(bytes(hex))).toBe(expected);
  });

  it('notices every single flipped bit and every burst of up to eight bits', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 6, maxLength: 6 }),
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 1, max: 255 }),
        (frame, position, burst) => {
          const damaged = Uint8Array.from(frame);
          const shifted = burst << (8 - (position % 8));
          const byte = Math.floor(position / 8);
          damaged[byte] = damaged[byte]! ^ (shifted >> 8);
          damaged[byte + 1] = (damaged[byte + 1] ?? 0) ^ (shifted & 0xff);
          expect(crc8(damaged)).not.toBe(crc8(frame));
        },
      ),
      { seed: 20 },
    );
  });
});
