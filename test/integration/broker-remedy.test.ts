import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BROKER_FINDINGS } from '../../src/doctor/findings/broker.ts';

const MISSING = [
  existsSync('/etc/mosquitto') && spawnSync('mosquitto_passwd').error === undefined ? '' : 'Mosquitto is not installed',
  spawnSync('unshare', ['--mount', '--map-root-user', 'true']).status === 0 ? '' : 'no mount namespace here',
].join('');

/** The broker of a person who has never heard of us: the password file has a name of its own. */
describe.skipIf(MISSING !== '')(`the doctor's remedy for a password, on a broker that is not ours ${MISSING}`, () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'techtemp-remedy-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['broker.credentials', 'broker.not-authorized'] as const)(
    '%s: sets it in the file that is in force',
    (id) => {
      mkdirSync(join(folder, 'conf.d'));
      writeFileSync(join(folder, 'mosquitto.conf'), 'include_dir /etc/mosquitto/conf.d\n');
      writeFileSync(
        join(folder, 'conf.d/home.conf'),
        '#password_file /etc/mosquitto/old\npassword_file  /etc/mosquitto/people\n',
      );
      writeFileSync(join(folder, 'people'), '');
      const command = BROKER_FINDINGS[id].remedy.find((line) => line.startsWith('$ '))?.slice(2) ?? '';
      const script = [
        `mount --bind '${folder}' /etc/mosquitto`,
        // Their places: we are root here already, and no systemd runs.
        'sudo() { "$@"; }; systemctl() { echo "$@" >/etc/mosquitto/asked; }',
        command.replaceAll('{account}', 'aht20-f49c53'),
      ].join('\n');
      const { status, stderr } = spawnSync('unshare', ['--mount', '--map-root-user', 'bash', '-ec', script], {
        encoding: 'utf8',
        input: 'secret\nsecret\n',
      });
      expect([status, stderr]).toEqual([0, stderr]);
      expect(readFileSync(join(folder, 'people'), 'utf8')).toMatch(/^aht20-f49c53:\$/);
      expect(readFileSync(join(folder, 'asked'), 'utf8')).toBe('reload mosquitto\n');
    },
  );
});
