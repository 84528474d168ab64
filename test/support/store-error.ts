import { expect } from 'vitest';

/** Matches a StoreError with this code and, where they are given, these words. */
export function failing(code: string, words = /./): unknown {
  return expect.objectContaining({ name: 'StoreError', code, message: expect.stringMatching(words) as unknown });
}
