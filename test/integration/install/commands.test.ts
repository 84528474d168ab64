import { afterEach, describe, expect, test } from 'vitest';
import { type FreshSystem, freshSystem, freshSystemMissing, PROJECT } from '../../support/fresh-system.ts';
import { runSteps } from '../../support/install-steps.ts';

/** Stands for a program of the release: says how it was called. */
const PROGRAM = `import { readFileSync } from 'node:fs';
const folder = process.env.CREDENTIALS_DIRECTORY;
const password = folder === undefined ? 'none' : readFileSync(folder + '/mqtt-password', 'utf8').trim();
console.log(JSON.stringify({ words: process.argv.slice(2), password }));
`;

describe.skipIf(freshSystemMissing !== undefined)(
  `the commands techtemp-device and techtemp-server${freshSystemMissing === undefined ? '' : ` (skipped: ${freshSystemMissing})`}`,
  () => {
    let system: FreshSystem;
    afterEach(() => system.remove());

    const prepare = async (): Promise<void> => {
      system = await freshSystem();
      for (const name of ['techtemp-device', 'techtemp-server']) {
        system.write(`/opt/techtemp/current/dist/${name}.js`, PROGRAM);
      }
      system.write('/opt/techtemp/current/package.json', '{"type":"module"}');
    };
    const provide = (role: string): string => {
      const { status, stdout, stderr } = runSteps(system, `provide_commands ${PROJECT}`, { args: ['--role', role] });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      return stdout;
    };
    const told = (command: string): unknown => JSON.parse(system.sh(command));

    test('are there for what was installed, and call the programs of the release', async () => {
      await prepare();
      provide('device');
      expect(told('techtemp-device read --count "2 3"')).toEqual({
        words: ['read', '--count', '2 3'],
        password: 'none',
      });
      expect(system.run('techtemp-server', []).status).not.toBe(0);
      provide('server');
      expect(told('techtemp-server verify')).toEqual({ words: ['verify'], password: 'none' });
      expect(system.read('/var/lib/techtemp-install/manifest')).toContain('file /usr/local/bin/techtemp-server');
    });

    test('see as root the password that systemd keeps for the service of that configuration', async () => {
      await prepare();
      provide('all');
      for (const service of ['techtemp', 'techtemp-server', 'techtemp-server-staging']) {
        system.write(`/etc/credstore/${service}.mqtt-password`, `of ${service}\n`, 0o600);
      }
      expect(told('techtemp-device check')).toMatchObject({ password: 'of techtemp' });
      expect(told('techtemp-server check')).toMatchObject({ password: 'of techtemp-server' });
      for (const words of ['-c /etc/techtemp/server-staging.conf', '--config=/etc/techtemp/server-staging.conf']) {
        expect(told(`techtemp-server check ${words}`)).toMatchObject({ password: 'of techtemp-server-staging' });
      }
      expect(told('setpriv --reuid 65534 --regid 65534 --clear-groups techtemp-server check')).toMatchObject({
        password: 'none',
      });
    });

    test('leave a program of the same name alone', async () => {
      await prepare();
      system.write('/usr/local/bin/techtemp-device', '#!/bin/sh\necho "the older agent"\n', 0o755);
      expect(provide('device')).toContain('is not ours and stays');
      expect(system.sh('techtemp-device')).toBe('the older agent\n');
    });
  },
);
