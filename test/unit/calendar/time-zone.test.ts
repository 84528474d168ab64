import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isTimeZone, machineTimeZone } from '../../../src/calendar/zones.ts';
import { loadServerConfig } from '../../../src/server/config.ts';
import { checkedTimeZone } from '../../../src/server/http/query.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'techtemp-zone-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A machine whose /etc/localtime leads to that zone. */
function setZone(name: string): void {
  const file = join(root, 'usr/share/zoneinfo', name);
  mkdirSync(dirname(file), { recursive: true });
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(file, '');
  symlinkSync(file, join(root, 'etc/localtime'));
}

// D1
describe('the zone of the machine', () => {
  it.each([
    ['Europe/Paris', 'Europe/Paris'],
    [':Europe/Paris', 'Europe/Paris'],
    [' Europe/Paris ', 'Europe/Paris'],
    ['/usr/share/zoneinfo/Asia/Kathmandu', 'Asia/Kathmandu'],
    [':/usr/share/zoneinfo/right/Asia/Kathmandu', 'Asia/Kathmandu'],
    ['posix/Asia/Kathmandu', 'Asia/Kathmandu'],
    [':/etc/localtime', 'Europe/Brussels'],
    ['/etc/localtime', 'Europe/Brussels'],
    ['UTC', 'UTC'],
  ])('is what TZ=%s means to the C library', (TZ, zone) => {
    setZone('Europe/Brussels');
    expect(machineTimeZone({ TZ }, root)).toEqual({ zone });
  });

  it('is found where /etc/localtime is a copy and Debian wrote the name beside it', () => {
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/localtime'), 'TZif2');
    writeFileSync(join(root, 'etc/timezone'), 'Europe/Brussels\n');
    expect(machineTimeZone({ TZ: ':/etc/localtime' }, root)).toEqual({ zone: 'Europe/Brussels' });
  });

  it.each(['', ':', 'Mars/Base', '/etc/localtime', 'CET-1CEST,M3.5.0,M10.5.0/3', '+05:30', 'Etc/Unknown'])(
    'is UTC, and a problem, for TZ=%j',
    (TZ) => {
      const { zone, problem } = machineTimeZone({ TZ }, root);
      expect(zone).toBe('UTC');
      expect(problem).toContain('UTC');
    },
  );

  it('is told with its problem to the owner of the server, but not where the config names a zone', async () => {
    const asked = async (env: NodeJS.ProcessEnv) => await loadServerConfig({ env, flags: {} });
    const { config, warnings } = await asked({ TZ: 'Europa/Brussel' });
    expect(config.house.timeZone).toBe('UTC');
    expect(warnings.map(({ origin, complaint }) => ({ origin, complaint }))).toEqual([
      {
        origin: { kind: 'environment', variable: 'TZ' },
        complaint: expect.stringMatching(/UTC is taken; did you mean Europe\/Brussels\?.*midnight UTC/) as string,
      },
    ]);
    const named = await asked({ TZ: 'Mars/Base', TECHTEMP_HOUSE_TIME_ZONE: 'Asia/Tokyo' });
    expect([named.config.house.timeZone, named.warnings]).toEqual(['Asia/Tokyo', []]);
    expect((await asked({ TZ: ':Europe/Paris' })).config.house.timeZone).toBe('Europe/Paris');
  });
});

// D15
it('is a name on every version of Node.js, never an offset, in the config and in the API', () => {
  for (const offset of ['+05:30', '-02', '05:30', 'UTC+5', 'Etc/Unknown'])
    expect(isTimeZone(offset), offset).toBe(false);
  expect(() => checkedTimeZone('+05:30', 'UTC')).toThrow(/IANA name .* and not an offset, found "\+05:30"/);
  expect(checkedTimeZone(undefined, 'Asia/Tokyo')).toBe('Asia/Tokyo');
});
