import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const units = readdirSync(join(root, 'systemd')).filter((file) => file.endsWith('.service'));
const settings = (unit: string, name: string): readonly string[] =>
  [...read(`systemd/${unit}`).matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map((match) => match[1] ?? '');

/** Units of ours that run all the time and take what others send. */
const EXPOSED_TO_OTHERS = ['techtemp-device.service', 'techtemp-server.service', 'techtemp-server@.service'];

const analyze = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' });
const version = analyze.status === 0 ? /^systemd (\d+)/.exec(analyze.stdout)?.[1] : undefined;

describe('docs/hardening.md', () => {
  const rows = read('docs/hardening.md')
    .split('\n')
    .filter((line) => line.startsWith('| `techtemp-'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const told = new Map(rows.map((cells) => [/`(.+?)`/.exec(cells[1] ?? '')?.[1], cells]));

  it('names every unit', () => {
    expect([...told.keys()].sort()).toEqual([...units].sort());
  });

  const column = { '252': 2, '257': 3 }[version ?? ''];
  const missing =
    column === undefined ? `systemd-analyze of 252 or 257 is not installed, but ${version ?? 'none'}` : undefined;
  describe.skipIf(missing !== undefined)(`its figures${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
    let folder = '';
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'techtemp-hardening-'));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it.each(units)('are those of systemd-analyze for %s', (unit) => {
      const command = join(folder, 'command');
      writeFileSync(command, '#!/bin/sh\n');
      chmodSync(command, 0o755);
      const copy = join(folder, unit.replace('@.', '@staging.'));
      writeFileSync(copy, read(`systemd/${unit}`).replaceAll(/^(Exec\w+)=.*/gm, `$1=${command}`));
      const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', copy], {
        encoding: 'utf8',
      });
      const exposure = /Overall exposure level for \S+: ([0-9.]+)/.exec(stdout)?.[1];
      expect(exposure).toBe(told.get(unit)?.[column ?? 0]);
    });
  });
});

describe.each(EXPOSED_TO_OTHERS)('%s', (unit) => {
  it('has no capability and can get none', () => {
    expect(settings(unit, 'CapabilityBoundingSet')).toEqual(['']);
    expect(settings(unit, 'AmbientCapabilities')).toEqual(['']);
    expect(settings(unit, 'NoNewPrivileges')).toEqual(['yes']);
    expect(settings(unit, 'RestrictSUIDSGID')).toEqual(['yes']);
  });

  it('can write to its state and its runtime folder alone', () => {
    expect(settings(unit, 'ProtectSystem')).toEqual(['strict']);
    expect(settings(unit, 'ProtectHome')).toEqual(['yes']);
    expect(settings(unit, 'StateDirectory')).toHaveLength(1);
    for (const more of ['ReadWritePaths', 'BindPaths', 'CacheDirectory', 'LogsDirectory']) {
      expect(settings(unit, more)).toEqual([]);
    }
  });

  it('sees no device but the I2C bus, where it measures', () => {
    expect(settings(unit, 'DevicePolicy')).toEqual(['closed']);
    expect(settings(unit, 'DeviceAllow')).toEqual(unit === 'techtemp-device.service' ? ['char-i2c rw'] : []);
    expect(settings(unit, 'PrivateDevices')).toEqual(unit === 'techtemp-device.service' ? [] : ['yes']);
  });
});

describe('units that run as root', () => {
  it('are not reached from outside: none of them listens', () => {
    const asRoot = units.filter((unit) => settings(unit, 'DynamicUser').length === 0);
    expect(asRoot.sort()).toEqual(['techtemp-commit.service', 'techtemp-gateway.service']);
    for (const unit of asRoot) {
      expect(settings(unit, 'NoNewPrivileges')).toEqual(['yes']);
      expect(settings(unit, 'ProtectHome')).toEqual(['yes']);
      expect(settings(unit, 'ProtectSystem')).toEqual(['strict']);
      // Neither reads everything, loads modules nor administers the network or the system.
      expect(settings(unit, 'CapabilityBoundingSet').join(' ')).not.toMatch(
        /SYS_ADMIN|SYS_MODULE|SYS_PTRACE|NET_ADMIN/,
      );
    }
  });
});
