import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../../systemd/techtemp-gateway', import.meta.url));
const HOUR = 3600;

/** Ping, routes and systemctl of a machine whose gateway can be switched off. */
const COMMANDS = {
  ip: '#!/bin/sh\ncase $1 in route) cat route 2>/dev/null ;; neigh) cat neighbour 2>/dev/null ;; esac\nexit 0\n',
  ping: '#!/bin/sh\n[ -e answers ]\n',
  systemctl: '#!/bin/sh\necho "$*" >>asked\n',
  journalctl: '#!/bin/sh\necho "journal $*" >>asked\n',
};

describe('the restart without gateway', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'techtemp-gateway-'));
    for (const name of ['bin', 'state', 'run']) mkdirSync(join(folder, name));
    for (const [name, text] of Object.entries(COMMANDS)) {
      writeFileSync(join(folder, 'bin', name), text);
      chmodSync(join(folder, 'bin', name), 0o755);
    }
    writeFileSync(join(folder, 'route'), 'default via 192.168.1.1 dev wlan0 proto dhcp metric 600\n');
    writeFileSync(join(folder, 'answers'), '');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('comes when the gateway was heard and then silent for an hour', () => {
    look(8 * HOUR);
    rmSync(join(folder, 'answers'));
    look(9 * HOUR - 60);
    expect(asked()).toBe('');
    look(9 * HOUR);
    expect(asked()).toBe('journal --sync\nreboot\n');
    expect(readFileSync(join(folder, 'state/restarts'), 'utf8')).toMatch(
      /Z the gateway 192\.168\.1\.1 has not answered/,
    );
  });

  test('does not come in the first six hours after a boot, so never more often than that', () => {
    look(HOUR / 2);
    rmSync(join(folder, 'answers'));
    look(5.9 * HOUR);
    expect(asked()).toBe('');
    look(6 * HOUR);
    expect(asked()).toContain('reboot');
  });

  test('does not come for a gateway that has never been heard', () => {
    rmSync(join(folder, 'answers'));
    look(100 * HOUR);
    expect(asked()).toBe('');
    expect(existsSync(join(folder, 'state/gateway'))).toBe(false);
  });

  test('does not come for a new gateway that does not answer, in the place of one that did', () => {
    look(8 * HOUR);
    rmSync(join(folder, 'answers'));
    writeFileSync(join(folder, 'route'), 'default via 10.0.0.1 dev eth0\n');
    look(20 * HOUR);
    expect(asked()).toBe('');
  });

  test('comes when the route is gone together with the network, also when it was so from the boot on', () => {
    look(8 * HOUR);
    rmSync(join(folder, 'answers'));
    rmSync(join(folder, 'route'));
    rmSync(join(folder, 'run/heard-at'));
    look(6 * HOUR);
    expect(asked()).toContain('reboot');
  });

  test('does not come for a gateway that drops pings but has an address on the wire', () => {
    look(8 * HOUR);
    rmSync(join(folder, 'answers'));
    writeFileSync(join(folder, 'neighbour'), '192.168.1.1 lladdr 00:11:22:33:44:55 REACHABLE\n');
    look(20 * HOUR);
    expect(asked()).toBe('');
    writeFileSync(join(folder, 'neighbour'), '192.168.1.1 FAILED\n');
    look(22 * HOUR);
    expect(asked()).toContain('reboot');
  });

  test('writes nothing to the disk while the gateway answers', () => {
    look(8 * HOUR);
    writeFileSync(join(folder, 'state/gateway'), '192.168.1.1 wlan0\n', { mode: 0o444 });
    rmSync(join(folder, 'state/restarts'), { force: true });
    const before = readFileSync(join(folder, 'state/gateway'), 'utf8');
    look(9 * HOUR);
    expect(readFileSync(join(folder, 'state/gateway'), 'utf8')).toBe(before);
    expect(readFileSync(join(folder, 'run/heard-at'), 'utf8')).toBe(`${9 * HOUR}\n`);
  });

  function look(uptimeSeconds: number): void {
    writeFileSync(join(folder, 'uptime'), `${uptimeSeconds}.25 99999.99\n`);
    const env = {
      PATH: `${join(folder, 'bin')}:/usr/bin:/bin`,
      STATE_DIRECTORY: join(folder, 'state'),
      RUNTIME_DIRECTORY: join(folder, 'run'),
      TECHTEMP_GATEWAY_UPTIME_FILE: join(folder, 'uptime'),
    };
    const { status, stderr } = spawnSync(SCRIPT, { cwd: folder, env, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  }

  function asked(): string {
    return existsSync(join(folder, 'asked')) ? readFileSync(join(folder, 'asked'), 'utf8') : '';
  }
});
