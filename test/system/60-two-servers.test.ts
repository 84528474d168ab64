import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Bundle, bootstrap, ensureInstalled, setInterval } from './support/installation.ts';
import { Watch } from './support/proof.ts';
import { DEVICE, SERVER, Target } from './support/target.ts';

const STAGING = `${SERVER}@staging`;
const STAGING_CONF = '/etc/techtemp/server-staging.conf';

const target = new Target();
let bundle: Bundle;
let stagingPort = '';

beforeAll(async () => {
  bundle = await ensureInstalled(target);
  await setInterval(target, 5);
});
afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

test('a second server stands beside the first: own configuration, record, port and name at the broker, no receipts', async () => {
  const watch = new Watch(target);
  const production = await target.property(SERVER, 'MainPID');
  const { status, stdout } = await bootstrap(target, bundle, [
    '--yes',
    '--role',
    'server',
    '--instance',
    'staging',
    '--with-broker',
  ]);
  expect(status, stdout).toBe(0);
  expect(await target.isActive(STAGING)).toBe(true);
  expect(await target.property(SERVER, 'MainPID')).toBe(production);
  const conf = await target.sh(`cat ${STAGING_CONF}`);
  expect(conf).toMatch(/^receipts *= *no/m);
  stagingPort = /^port *= *(\d+)/m.exec(conf)?.[1] ?? '';
  expect(stagingPort).not.toBe('');
  expect(stagingPort).not.toBe('3000');
  await target.sh(
    'test -e /var/lib/techtemp-server/techtemp.db && test -e /var/lib/techtemp-server-staging/techtemp.db',
  );
  await watch.prove('a staging server installed beside production');
});

test('staging sees what production sees, and takes no reading from it', async () => {
  const watch = new Watch(target);
  await target.until('a reading in staging', async () => (await latest(stagingPort)) !== '' || undefined, 120_000);
  await target.sh(`systemctl stop ${SERVER}`);
  // Only staging listens now: nothing may leave the device.
  const before = await latest(stagingPort);
  await target.until('staging goes on', async () => (await latest(stagingPort)) !== before, 60_000);
  await target.sh(`systemctl start ${SERVER}`);
  await watch.prove('production away while staging listens');
});

test('without staging production goes on as before', async () => {
  const watch = new Watch(target);
  await target.sh(`systemctl disable --now ${STAGING}`);
  expect(await target.isActive(SERVER)).toBe(true);
  expect(await target.isActive(DEVICE)).toBe(true);
  await watch.prove('staging stopped');
});

async function latest(port: string): Promise<string> {
  return await target.sh(`curl -fsS http://127.0.0.1:${port}/api/v1/readings/latest`);
}
