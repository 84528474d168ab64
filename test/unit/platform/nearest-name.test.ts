import { describe, expect, it } from 'vitest';
import { nearestName } from '../../../src/platform/nearest-name.ts';

describe('nearestName', () => {
  const names = ['broker_host', 'broker_port', 'tls', 'tls_ca_file', 'read_interval_seconds'];

  it.each([
    ['broker_hots', 'broker_host'],
    ['brokerport', 'broker_port'],
    ['BROKER_HOST', 'broker_host'],
    ['tsl', 'tls'],
    ['tls_ca_fil', 'tls_ca_file'],
    ['read_intervall_second', 'read_interval_seconds'],
    ['interval', 'read_interval_seconds'],
    ['ca_file', 'tls_ca_file'],
    ['colour', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ])('of %s is %s', (word, expected) => {
    expect(nearestName(word, names)).toBe(expected);
  });

  it('is none where there are no names', () => {
    expect(nearestName('tls', [])).toBeUndefined();
  });
});
