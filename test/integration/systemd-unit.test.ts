import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const UNIT = fileURLToPath(new URL('../../systemd/techtemp-device.service', import.meta.url));
const SYSUSERS = fileURLToPath(new URL('../../systemd/techtemp.sysusers.conf', import.meta.url));
/** What the project promises; systemd's scale goes from 0 (locked up) to 10 (open). */
const HIGHEST_EXPOSURE = 1.3;

const unit = readFileSync(UNIT, 'utf8');
const missing =
  spawnSync('systemd-analyze', ['--version']).status === 0 ? undefined : 'systemd-analyze is not installed';

test('the unit never gives up and waits for nothing that an offline Pi would not get', () => {
  expect(settings('Restart')).toEqual(['always']);
  expect(settings('StartLimitIntervalSec')).toEqual(['0']);
  expect(settings('RestartPreventExitStatus')).toEqual([]);
  expect(`${settings('After').join(' ')} ${settings('Wants').join(' ')}`).not.toMatch(/online|time-sync|mosquitto/);
  expect(settings('Requires')).toEqual([]);
});

test('the unit runs as a user of its own, with the bus, the state, the configuration and a password that may be absent', () => {
  expect(settings('DynamicUser')).toEqual(['yes']);
  expect(settings('SupplementaryGroups')).toEqual(['i2c techtemp']);
  expect(settings('DeviceAllow')).toEqual(['char-i2c rw']);
  expect(settings('StateDirectory')).toEqual(['techtemp']);
  expect(settings('ConfigurationDirectory')).toEqual(['techtemp']);
  // An absolute path would have to exist: systemd refuses to start the unit without the file.
  expect(settings('LoadCredential')).toEqual(['mqtt-password:techtemp.mqtt-password']);
  expect(settings('SystemCallErrorNumber')).toEqual(['EPERM']);
});

test('the groups of the unit are created by the file beside it', () => {
  const created = [...readFileSync(SYSUSERS, 'utf8').matchAll(/^g (\S+)/gm)].map((match) => match[1]);
  expect(created.sort()).toEqual(settings('SupplementaryGroups').join(' ').split(' ').sort());
});

describe.skipIf(missing !== undefined)(
  `systemd-analyze${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let directory = '';
    let copy = '';

    /** The unit as it is, but with commands that exist here: the release is not installed on this machine. */
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'techtemp-unit-'));
      const command = join(directory, 'command');
      writeFileSync(command, '#!/bin/sh\n');
      chmodSync(command, 0o755);
      copy = join(directory, 'techtemp-device.service');
      const commands = unit
        .replace(/^ExecStart=node /m, `ExecStart=${command} `)
        .replace(/^ExecReload=\S+/m, `ExecReload=${command}`);
      writeFileSync(copy, commands);
    });
    afterAll(() => rmSync(directory, { recursive: true, force: true }));

    test('verify has nothing to say', () => {
      const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', copy], { encoding: 'utf8' });
      expect(aboutUs(stdout + stderr)).toEqual([]);
      expect(status).toBe(0);
    });

    test('verify would have: a misspelt line is reported', () => {
      const wrong = join(directory, 'wrong.service');
      writeFileSync(wrong, readFileSync(copy, 'utf8').replace('ProtectClock=', 'ProtectClocks='));
      const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', wrong], { encoding: 'utf8' });
      expect(`${stdout}${stderr}`).toContain('ProtectClocks');
    });

    test(`the exposure is at most ${HIGHEST_EXPOSURE}`, () => {
      const { stdout } = analyseSecurity(copy);
      const exposure = Number(/Overall exposure level for \S+: ([0-9.]+)/.exec(stdout)?.[1]);
      expect(exposure).toBeGreaterThan(0);
      expect(exposure).toBeLessThanOrEqual(HIGHEST_EXPOSURE);
    });

    test('each line of the sandbox counts: without one of them the threshold is not met', () => {
      for (const line of ['CapabilityBoundingSet=', 'RestrictNamespaces=yes', 'PrivateUsers=yes']) {
        const weaker = join(directory, 'weaker.service');
        writeFileSync(weaker, readFileSync(copy, 'utf8').replace(new RegExp(`^${line}$`, 'm'), ''));
        expect({ line, status: analyseSecurity(weaker).status }).toEqual({ line, status: 1 });
      }
      expect(analyseSecurity(copy).status).toBe(0);
    });

    function analyseSecurity(path: string): { readonly stdout: string; readonly status: number | null } {
      const threshold = `--threshold=${HIGHEST_EXPOSURE * 10}`;
      return spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', threshold, path], {
        encoding: 'utf8',
      });
    }

    /** verify loads what the unit is ordered after, and also reports the faults of those. */
    function aboutUs(output: string): readonly string[] {
      return output.split('\n').filter((line) => line.includes('techtemp'));
    }
  },
);

function settings(name: string): readonly string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map((match) => match[1] ?? '');
}
