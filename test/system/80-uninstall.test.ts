import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Bundle, bootstrap, ensureInstalled, OPTIONS, setInterval } from './support/installation.ts';
import { storedReadings, Watch } from './support/proof.ts';
import { noteTranscript } from './support/results.ts';
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

test('uninstalling keeps configuration and readings, and a new installation goes on with them', async () => {
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
  const again = await bootstrap(target, bundle, OPTIONS);
  expect(again.status, again.stdout).toBe(0);
  expect(await deviceUid()).toBe(uid);
  const { readings } = await watch.prove('uninstall and installation again');
  expect(readings.length).toBeGreaterThanOrEqual(before.length);
});

test('--purge leaves nothing of ours, and everything of others', async () => {
  const others = await target.sh(OTHERS);
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
});

/** What was there before us, or may be used by others. */
const OTHERS = 'command -v node mosquitto; getent group i2c; ls /etc/mosquitto | grep -v techtemp';

async function deviceUid(): Promise<string> {
  return await target.sh(`sed -n 's/^device_uid *= *//p' ${DEVICE_CONF}`);
}
