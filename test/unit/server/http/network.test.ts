import { describe, expect, it } from 'vitest';
import { isLoopbackHost } from '../../../../src/config/web-formats.ts';
import { hostName, isForwarded, rightsWithoutToken } from '../../../../src/server/http/security/access.ts';
import { withoutPrefix } from '../../../../src/server/http/server-options.ts';

describe('where a server listens', () => {
  it.each(['127.0.0.1', '127.9.8.7', 'localhost', 'LOCALHOST', '::1', '[::1]', '::ffff:127.0.0.1'])(
    '%s is loopback',
    (host) => {
      expect(isLoopbackHost(host)).toBe(true);
    },
  );

  it.each([
    '0.0.0.0',
    '::',
    '192.168.1.2',
    'pi.local',
    'localhost.example',
    '127.0.0.1.example',
    '',
    'house.localhost',
  ])('%s is not loopback for certain', (host) => {
    expect(isLoopbackHost(host)).toBe(false);
  });

  it('finds the name in a Host header', () => {
    expect(hostName('Pi.Local:3000')).toBe('pi.local');
    expect(hostName('localhost.')).toBe('localhost');
    expect(hostName('[::1]:3000')).toBe('::1');
    expect(hostName('192.168.1.2')).toBe('192.168.1.2');
  });

  it.each(['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'via'])(
    'recognises a proxy by %s',
    (name) => {
      expect(isForwarded({ [name]: 'anything' })).toBe(true);
      expect(isForwarded({ host: 'localhost' })).toBe(false);
    },
  );
});

describe('what everybody may do without a token', () => {
  const direct = { headers: { host: 'localhost' } };
  const forwarded = { headers: { host: 'localhost', 'x-forwarded-for': '203.0.113.7' } };
  const settings = (host: string, reading: 'open' | 'token', writing: 'auto' | 'token') => ({ host, reading, writing });

  it('is everything on a server that listens on loopback', () => {
    expect(rightsWithoutToken(direct, settings('127.0.0.1', 'open', 'auto'))).toBe('write');
  });

  it('is reading as soon as it listens beyond loopback', () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.2', 'pi.local']) {
      expect(rightsWithoutToken(direct, settings(host, 'open', 'auto'))).toBe('read');
    }
  });

  it('is reading for what a proxy passed on, which may come from anywhere', () => {
    expect(rightsWithoutToken(forwarded, settings('127.0.0.1', 'open', 'auto'))).toBe('read');
  });

  it('is reading with writing = token, and nothing with reading = token', () => {
    expect(rightsWithoutToken(direct, settings('127.0.0.1', 'open', 'token'))).toBe('read');
    expect(rightsWithoutToken(direct, settings('127.0.0.1', 'token', 'token'))).toBe('none');
    expect(rightsWithoutToken(direct, settings('127.0.0.1', 'token', 'auto'))).toBe('none');
  });
});

describe('a path prefix', () => {
  it.each([
    ['/techtemp/api/v1/rooms?x=1', '/api/v1/rooms?x=1'],
    ['/api/v1/rooms', '/api/v1/rooms'],
    ['/techtemp', '/'],
    ['/techtemp?x=1', '/?x=1'],
    ['/techtemp/', '/'],
    ['/techtempest/api', '/techtempest/api'],
    ['/other/techtemp/api', '/other/techtemp/api'],
  ])('is taken off %s where it is there', (url, path) => {
    expect(withoutPrefix(url, '/techtemp')).toBe(path);
  });

  it('changes nothing where none is configured', () => {
    expect(withoutPrefix('/techtemp/x', '')).toBe('/techtemp/x');
  });
});
