import { expect, it } from 'vitest';
import { createTokenId, createTokenSecret, hashToken, isTokenSecret } from '../../../src/server/tokens.ts';

const zeros = (length: number): Uint8Array => new Uint8Array(length);

it('makes secrets of 256 bits that say what they are', () => {
  expect(createTokenSecret(zeros)).toBe(`ttk_${'A'.repeat(43)}`);
  expect(isTokenSecret(createTokenSecret())).toBe(true);
  const many = new Set(Array.from({ length: 200 }, () => createTokenSecret()));
  expect(many.size).toBe(200);
});

it('keeps the SHA-256 of a secret', () => {
  // echo -n abc | sha256sum
  expect(hashToken('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

it('does not take other texts for secrets', () => {
  for (const text of [
    '',
    'ttk_',
    'ttk_short',
    `ttk_${'A'.repeat(44)}`,
    `xyz_${'A'.repeat(43)}`,
    `ttk_${'é'.repeat(43)}`,
  ]) {
    expect(isTokenSecret(text)).toBe(false);
  }
});

it('names tokens by short random ids', () => {
  expect(createTokenId(zeros)).toBe('000000000000');
  expect(createTokenId()).toMatch(/^[0-9a-f]{12}$/);
});
