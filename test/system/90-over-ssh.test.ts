import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Bundle,
  bootstrap,
  OPTIONS as INSTALL,
  INSTALL_LIMIT_MS,
  makeBundle,
  OURS,
} from './support/installation.ts';
import { Watch } from './support/proof.ts';
import { noteTranscript } from './support/results.ts';
import { readSettings, title } from './support/settings.ts';
import { runHere, shellWord } from './support/ssh.ts';
import { DEVICE, SERVER, Target } from './support/target.ts';

/** A Mosquitto that runs already, such as one that the tests before have left behind, may be given passwords. */
const OPTIONS = [...INSTALL, '--force'];

const { sudoUser } = readSettings();
const target = new Target();
let bundle: Bundle;
let work = '';

beforeAll(async () => {
  bundle = makeBundle(target);
  work = mkdtempSync(join(tmpdir(), 'techtemp-over-ssh-'));
  execFileSync('tar', ['-xzf', bundle.file, '-C', work]);
  if (await target.isActive(DEVICE)) await bootstrap(target, bundle, ['--uninstall', '--purge', '--yes']);
  await target.sh(`touch ${OURS}`);
});
afterAll(async () => {
  rmSync(work, { recursive: true, force: true });
  await target[Symbol.asyncDispose]();
});

describe(title('a user with sudo', { SUDO_USER: sudoUser }), () => {
  const isMissing = sudoUser === undefined;

  test.skipIf(isMissing)('./bootstrap-pi.sh user@host installs over ssh and leaves nothing else behind', async () => {
    const watch = new Watch(target);
    const before = await target.sh(TEMPORARY);
    const { status, stdout } = await overSsh(OPTIONS);
    noteTranscript(target, 'installation over ssh', stdout);
    expect(status, stdout).toBe(0);
    expect(await target.isActive(DEVICE)).toBe(true);
    expect(await target.sh(TEMPORARY)).toBe(before);
    await watch.prove('installation over ssh');
  });

  test.skipIf(isMissing)('a second run over ssh changes nothing', async () => {
    const { status, stdout } = await overSsh(OPTIONS);
    expect(status, stdout).toBe(0);
    expect(stdout).toContain('Nothing changed.');
  });

  test.skipIf(isMissing)(
    'a connection that is cut in the middle ends nothing, and the next call says how it ended',
    async () => {
      const before = await target.sh(TEMPORARY);
      expect((await overSsh(['--uninstall', '--yes'])).status).toBe(0);
      const begun = await target.sh(marks('begun'));
      const file = join(work, 'process');
      // A group of its own, so that all of it can be ended at once, as by a laptop that is closed.
      const running = overSsh([], `setsid -w bash -c 'echo $$ >"$0"; exec bash -c "$1"' '${file}'`);
      await target.until(
        'the run there has begun',
        async () => (await target.sh(marks('begun'))) !== begun,
        INSTALL_LIMIT_MS,
      );
      execFileSync('bash', ['-c', 'kill -KILL -- "-$(cat "$1")"', 'kill', file]);
      await running;
      const ended = await target.sh(marks('ended'));
      await target.until(
        'the run there has ended',
        async () => (await target.sh(marks('ended'))) !== ended,
        INSTALL_LIMIT_MS,
      );
      expect([await target.isActive(DEVICE), await target.isActive(SERVER)]).toEqual([true, true]);
      const { status, stdout } = await overSsh([]);
      noteTranscript(target, 'the call after a connection that was cut', stdout);
      expect(status, stdout).toBe(0);
      expect(stdout).toMatch(/lost its terminal and went on\. It ended at .*, exit 0: TechTemp \S+ is installed/);
      expect(await target.sh(TEMPORARY)).toBe(before);
    },
  );
});

/** How many runs have begun, or ended, on the machine. */
function marks(kind: 'begun' | 'ended'): string {
  return `grep -c ' --- ${kind} ' /var/lib/techtemp-install/install.log || :`;
}

/** What lies about; without what systemd makes for each service, and sudo in the home of whoever uses it for the first time. */
const TEMPORARY = `ls -A /tmp /var/tmp /home/*/ /root | grep -vE 'systemd-private|^\\.sudo_as_admin_successful$' || :`;

/** `around` is a command that gets the one that calls the installer as its last word. */
async function overSsh(
  options: readonly string[],
  around = 'bash -c',
): Promise<{ readonly status: number | null; readonly stdout: string }> {
  const { host, port, sshKey } = target.settings;
  const key = sshKey === undefined ? '' : `-i '${sshKey}'`;
  const words = options.map((option) => `'${option}'`).join(' ');
  const call = `'${work}/${bundle.name}/bootstrap-pi.sh' ${key} '${sudoUser ?? ''}@${host}:${port}' ${words} </dev/null 2>&1`;
  const command = `${around} ${shellWord(call)}`;
  const env = { TECHTEMP_SSH_OPTIONS: '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null' };
  return await runHere(command, { limitMs: INSTALL_LIMIT_MS, env });
}
