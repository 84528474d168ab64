import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  deriveDeviceUid,
  type NetworkInterface,
  openDeviceUid,
  readNetworkInterfaces,
} from '../../../src/device/device-uid.ts';
import { stateDirectory } from '../../../src/platform/files.ts';

const eth0 = { name: 'eth0', mac: 'B8:27:EB:F4:9C:53', physical: true };
const wlan0 = { name: 'wlan0', mac: 'b8:27:eb:a1:c9:06', physical: true };
const lo = { name: 'lo', mac: '00:00:00:00:00:00', physical: false };
const docker0 = { name: 'docker0', mac: '02:42:ac:11:00:02', physical: false };
const enp3s0 = { name: 'enp3s0', mac: '1c:69:7a:00:11:22', physical: true };

describe('deriveDeviceUid', () => {
  it.each([
    ['eth0 first', [lo, wlan0, eth0], 'aht20-f49c53'],
    ['else wlan0', [lo, docker0, enp3s0, wlan0], 'aht20-a1c906'],
    ['else a card', [lo, docker0, enp3s0], 'aht20-001122'],
    ['else anything with an address', [lo, docker0], 'aht20-110002'],
    ['none', [lo, { name: 'tun0', mac: '', physical: false }], undefined],
  ])('takes %s', (_, interfaces: readonly NetworkInterface[], expected) => {
    expect(deriveDeviceUid(interfaces)).toBe(expected);
    expect(deriveDeviceUid(interfaces.toReversed())).toBe(expected);
  });
});

describe('openDeviceUid', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'techtemp-uid-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const open = async (interfaces: readonly NetworkInterface[], state = folder, random = 0.5) =>
    await openDeviceUid({
      stateDirectory: state,
      interfaces: async () => Promise.resolve(interfaces),
      random: () => random,
    });

  it('decides once: a card that is plugged in later changes nothing', async () => {
    expect(await open([lo, wlan0])).toEqual({ uid: 'aht20-a1c906', source: 'derived' });
    expect(await readFile(join(folder, 'device-uid'), 'utf8')).toBe('aht20-a1c906\n');
    expect(await open([lo, wlan0, eth0])).toEqual({ uid: 'aht20-a1c906', source: 'remembered' });
  });

  it('makes one up where there is no card, and keeps that too', async () => {
    expect(await open([lo])).toEqual({ uid: 'aht20-800000', source: 'made-up' });
    expect(await open([lo], folder, 0)).toEqual({ uid: 'aht20-800000', source: 'remembered' });
  });

  it('makes up six digits at the ends of the range', async () => {
    expect((await open([], join(folder, 'a'), 0)).uid).toBe('aht20-000000');
    expect((await open([], join(folder, 'b'), 1 - 2 ** -53)).uid).toBe('aht20-ffffff');
  });

  it('decides again when what is remembered is damaged', async () => {
    await writeFile(join(folder, 'device-uid'), '\0\0\0\0');
    expect(await open([eth0])).toEqual({ uid: 'aht20-f49c53', source: 'derived' });
  });

  it('goes on without a place to keep it, and says so', async () => {
    await writeFile(join(folder, 'file'), '');
    const uid = await open([eth0], join(folder, 'file', 'state'));
    expect(uid).toMatchObject({ uid: 'aht20-f49c53', source: 'derived' });
    expect(uid.problem).toContain('set it in device.conf');
  });

  it('reads the cards from /sys, those without a cable too', async () => {
    for (const { name, mac, physical } of [eth0, lo]) {
      await mkdir(join(folder, name, ...(physical ? ['device'] : [])), { recursive: true });
      await writeFile(join(folder, name, 'address'), `${mac}\n`);
    }
    await mkdir(join(folder, 'bonding_masters'));
    const interfaces = await readNetworkInterfaces(folder);
    expect(interfaces).toContainEqual(eth0);
    expect(interfaces).toContainEqual(lo);
    expect(deriveDeviceUid(interfaces)).toBe('aht20-f49c53');
  });

  it('asks Node where there is no /sys', async () => {
    for (const { mac } of await readNetworkInterfaces(join(folder, 'no', 'such')))
      expect(mac).toMatch(/^[0-9a-f:]{17}$/);
  });
});

describe('stateDirectory', () => {
  it('is what systemd says, else ./var', () => {
    expect(stateDirectory({ STATE_DIRECTORY: '/var/lib/techtemp' })).toBe('/var/lib/techtemp');
    expect(stateDirectory({ STATE_DIRECTORY: '/a:/b' })).toBe('/a');
    expect(stateDirectory({})).toBe('./var');
    expect(stateDirectory({ STATE_DIRECTORY: '' })).toBe('./var');
  });
});
