import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_STORE } from '../../../src/cli/command-io.ts';

const folder = resolve(import.meta.dirname, '../../../systemd');
/** What the project promises; systemd's scale goes from 0 (locked up) to 10 (open). */
const HIGHEST_EXPOSURE = 1.2;
const units = ['techtemp-server.service', 'techtemp-server@.service'] as const;
const missing =
  spawnSync('systemd-analyze', ['--version']).status === 0 ? undefined : 'systemd-analyze is not installed';

const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const settings = (unit: string, name: string): readonly string[] =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map((match) => match[1] ?? '');

describe.each(units)('%s', (name) => {
  const unit = read(name);
  const instance = name.includes('@') ? '-%i' : '';

  it('never gives up, but for a record that only a person can mend', () => {
    expect(settings(unit, 'Restart')).toEqual(['always']);
    expect(settings(unit, 'StartLimitIntervalSec')).toEqual(['0']);
    expect(settings(unit, 'RestartPreventExitStatus')).toEqual([String(EXIT_STORE)]);
  });

  it('S2: waits neither for a broker nor for a network', () => {
    expect(`${settings(unit, 'After').join(' ')} ${settings(unit, 'Wants').join(' ')}`).not.toMatch(/online|mosquitto/);
    expect(settings(unit, 'Requires')).toEqual([]);
  });

  it('has a config, a record, answers to a reload and a password of its own', () => {
    expect(settings(unit, 'ExecStart')[0]).toMatch(
      new RegExp(`dist/techtemp-server\\.js run --config /etc/techtemp/server${instance}\\.conf$`),
    );
    expect(settings(unit, 'StateDirectory')).toEqual([`techtemp-server${instance}`]);
    // An agent on the same machine has /run/techtemp: each removes its folder when it stops.
    expect(settings(unit, 'RuntimeDirectory')).toEqual([`techtemp-server${instance}`]);
    expect(settings(unit, 'LoadCredential')).toEqual([`mqtt-password:techtemp-server${instance}.mqtt-password`]);
    expect(settings(unit, 'ExecReload')[0]).toMatch(/systemd\/techtemp-reload$/);
  });

  it('runs as a user of its own whose group the file beside it creates, and may reach any address', () => {
    const created = [...read('techtemp.sysusers.conf').matchAll(/^g (\S+)/gm)].map((match) => match[1]);
    expect(settings(unit, 'DynamicUser')).toEqual(['yes']);
    expect(created).toEqual(expect.arrayContaining([...settings(unit, 'SupplementaryGroups')]));
    expect(settings(unit, 'IPAddressDeny')).toEqual([]);
    expect(settings(unit, 'PrivateNetwork')).toEqual([]);
  });
});

describe('the unit for instances', () => {
  it('differs from the other in what has the name of the instance, and in nothing else', () => {
    const lines = (name: string): readonly string[] =>
      read(name)
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'));
    const named = lines(units[1]).filter((line) => !line.startsWith('Environment=TECHTEMP_MQTT_INSTANCE='));
    expect(named.map((line) => line.replace(/-%i| %i/g, ''))).toEqual(lines(units[0]));
  });

  it('gives the server the name of the instance, so that two never share a session at the broker', () => {
    expect(settings(read(units[1]), 'Environment')).toEqual(['TECHTEMP_MQTT_INSTANCE=%i']);
  });
});

describe.skipIf(missing !== undefined)(
  `systemd-analyze${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let directory = '';
    const copies: string[] = [];

    /** The units as they are, but with commands that exist here: the release is not installed on this machine. */
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'techtemp-server-unit-'));
      const command = join(directory, 'command');
      writeFileSync(command, '#!/bin/sh\n');
      chmodSync(command, 0o755);
      for (const name of units) {
        const copy = join(directory, name.replace('@.', '@staging.'));
        const text = read(name)
          .replace(/^ExecStart=node /m, `ExecStart=${command} `)
          .replace(/^ExecReload=\S+/m, `ExecReload=${command}`);
        writeFileSync(copy, text);
        copies.push(copy);
      }
    });
    afterAll(() => rmSync(directory, { recursive: true, force: true }));

    it('verify has nothing to say', () => {
      for (const copy of copies) {
        const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', copy], { encoding: 'utf8' });
        expect((stdout + stderr).split('\n').filter((line) => line.includes('techtemp'))).toEqual([]);
        expect(status).toBe(0);
      }
    });

    it(`the exposure is at most ${HIGHEST_EXPOSURE}`, () => {
      for (const copy of copies) {
        const exposure = Number(/Overall exposure level for \S+: ([0-9.]+)/.exec(analyseSecurity(copy).stdout)?.[1]);
        expect(exposure).toBeGreaterThan(0);
        expect(exposure).toBeLessThanOrEqual(HIGHEST_EXPOSURE);
      }
    });

    it('each line of the sandbox counts: without one of them the threshold is not met', () => {
      for (const line of ['CapabilityBoundingSet=', 'RestrictNamespaces=yes', 'PrivateDevices=yes']) {
        const weaker = join(directory, 'weaker.service');
        writeFileSync(weaker, readFileSync(copies[0]!, 'utf8').replace(new RegExp(`^${line}$`, 'm'), ''));
        expect({ line, status: analyseSecurity(weaker).status }).toEqual({ line, status: 1 });
      }
      expect(analyseSecurity(copies[0]!).status).toBe(0);
    });

    function analyseSecurity(path: string): { readonly stdout: string; readonly status: number | null } {
      const threshold = `--threshold=${HIGHEST_EXPOSURE * 10}`;
      return spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', threshold, path], {
        encoding: 'utf8',
      });
    }
  },
);
