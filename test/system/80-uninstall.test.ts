import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Bundle,
  bootstrap,
  ensureInstalled,
  PACKAGES_BEFORE,
  packagesThere,
  setInterval,
} from './support/installation.ts';
import { storedReadings, Watch } from './support/proof.ts';
import { note, noteTranscript } from './support/results.ts';
import { DEVICE, DEVICE_CONF, SERVER, Target } from './support/target.ts';

const target = new Target();
let bundle: Bundle;

beforeAll(async () => {
  bundle = await ensureInstalled(target);
  await setInterval(target, 5);
});
afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

test('uninstalling keeps configuration and readings, and a new installation without a word goes on with them, in the same roles', async () => {
  const watch = new Watch(target);
  const uid = await deviceUid();
  const config = await target.sh(`sha256sum ${DEVICE_CONF}`);
  const before = await storedReadings(target);
  const { status, stdout } = await bootstrap(target, bundle, ['--uninstall', '--yes']);
  noteTranscript(target, 'uninstall', stdout);
  expect(status, stdout).toBe(0);
  expect(await target.sh(`systemctl list-unit-files --no-legend 'techtemp*' || :`)).toBe('');
  expect(await target.sh('ls -d /opt/techtemp 2>/dev/null || :')).toBe('');
  expect(await target.sh(`sha256sum ${DEVICE_CONF}`)).toBe(config);
  await target.sh('test -d /var/lib/private/techtemp/journal && test -e /var/lib/private/techtemp-server/techtemp.db');
  const again = await bootstrap(target, bundle, []);
  noteTranscript(target, 'installation again, without a word about roles', again.stdout);
  expect(again.status, again.stdout).toBe(0);
  expect(again.stdout).toContain('installs the recorder and the server again, because');
  expect(again.stdout).toContain('stored by the server on this machine');
  expect([await target.isActive(DEVICE), await target.isActive(SERVER)]).toEqual([true, true]);
  expect(await deviceUid()).toBe(uid);
  const { readings } = await watch.prove('uninstall and installation again');
  expect(readings.length).toBeGreaterThanOrEqual(before.length);
});

test('--purge leaves nothing of ours, and everything of others', async () => {
  const others = await target.sh(OTHERS);
  const [before, during] = [await target.sh(`cat ${PACKAGES_BEFORE} 2>/dev/null || :`), await packagesThere(target)];
  const { status, stdout } = await bootstrap(target, bundle, ['--uninstall', '--purge', '--yes']);
  noteTranscript(target, 'uninstall --purge', stdout);
  expect(status, stdout).toBe(0);
  const places = '/opt /etc /var/lib /run /usr/lib/systemd /usr/lib/sysusers.d';
  const left = await target.sh(
    `find ${places} -xdev -iname '*techtemp*' -not -name '*techtemp-system*' 2>/dev/null || :`,
  );
  expect(left).toBe('');
  expect(await target.sh(`systemctl list-units --all --no-legend '${DEVICE}*' '${SERVER}*' || :`)).toBe('');
  expect(await target.sh(OTHERS)).toBe(others);
  const after = await packagesThere(target);
  note(target, `packages: ${count(before)} before, ${count(during)} with TechTemp, ${count(after)} after --purge`);
  // On a machine that was not fresh nobody has written down what was there before.
  if (before !== '') expect(after.split('\n')).toEqual(before.split('\n'));
});

function count(packages: string): number {
  return packages.split('\n').filter((line) => line.startsWith('ii')).length;
}

/** What was there before us, or may be used by others. */
const OTHERS = 'getent group i2c; ls -d /etc/apt/sources.list.d/* | grep -v techtemp || :';

async function deviceUid(): Promise<string> {
  return await target.sh(`sed -n 's/^device_uid *= *//p' ${DEVICE_CONF}`);
}
