import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Bundle,
  bootstrap,
  makeBundle,
  OPTIONS,
  OURS,
  PACKAGES_BEFORE,
  packagesThere,
  refuseForeign,
} from './support/installation.ts';
import { Watch } from './support/proof.ts';
import { Recorder } from './support/recorder.ts';
import { note, noteTranscript } from './support/results.ts';
import { DEVICE, SERVER, Target } from './support/target.ts';

/** What a second run must leave as it is: contents, modes, owners and times of everything that is installed. */
const TREE = `find /opt/techtemp /etc/techtemp /etc/mosquitto /etc/systemd/system /etc/modules-load.d /etc/credstore \\
  -printf '%p %m %u:%g %T@ %l\\n' 2>/dev/null | sort | sha256sum`;
const PROCESSES = `systemctl show ${DEVICE} ${SERVER} mosquitto -p MainPID -p NRestarts -p ActiveEnterTimestampMonotonic`;

const target = new Target();
const recorder = new Recorder(target);
let bundle: Bundle;

beforeAll(async () => {
  bundle = makeBundle(target);
  if (target.settings.hooks.fresh !== undefined) await target.boot('fresh');
  await refuseForeign(target);
  await target.try(
    `for folder in /root/techtemp-system/*/; do "$folder/bootstrap-pi.sh" --uninstall --purge --yes; break; done`,
  );
  await target.sh(`touch ${OURS}`);
  // What --purge has to leave, at the end of the suite: only a fresh machine knows it.
  if (target.settings.hooks.fresh !== undefined) {
    await target.sh(`cat >${PACKAGES_BEFORE}`, { input: `${await packagesThere(target)}\n` });
  }
  await target.sensor('noise 0.4 1.5');
});
afterAll(async () => {
  await recorder[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

test('a dry run prints steps and changes nothing', async () => {
  const before = await target.sh(TREE);
  const { status, stdout } = await bootstrap(target, bundle, [...OPTIONS, '--dry-run']);
  expect(stdout).toMatch(/^ {4}\$ /m);
  expect(status).toBe(0);
  expect(await target.sh(TREE)).toBe(before);
  expect(await target.sh('ls -d /opt/techtemp /etc/techtemp 2>/dev/null || :')).toBe('');
});

test('one command installs device, server and broker, and a reading comes out of mosquitto_sub', async () => {
  const watch = new Watch(target, recorder);
  const startedMs = Date.now();
  const { status, stdout } = await bootstrap(target, bundle, OPTIONS);
  noteTranscript(target, 'fresh installation', stdout);
  note(target, `fresh installation took ${Math.round((Date.now() - startedMs) / 1000)} s`);
  expect(status, stdout).toBe(0);
  expect(await target.isActive(DEVICE)).toBe(true);
  expect(await target.isActive(SERVER)).toBe(true);
  expect(await target.sh(`systemctl is-enabled ${DEVICE} ${SERVER}`)).toBe('enabled\nenabled');
  await recorder.start();
  // Asked for before the restart, which ends when the first reading has been taken; the next one is minutes away.
  const [reading] = await Promise.all([recorder.nextReading(120_000), target.sh(`systemctl restart ${DEVICE}`)]);
  expect(reading.temperatureCelsius).toBeGreaterThan(-40);
  // Where no time server answers, a reading is published some minutes after it was measured: it is of this test, not of this moment.
  expect(reading.tsMs).toBeGreaterThan(startedMs);
  expect(reading.tsMs).toBeLessThan(Date.now() + 60_000);
  await watch.prove('fresh installation', { isStrict: true });
});

test('a second run changes nothing, says so, and restarts nothing', async () => {
  const [tree, processes] = [await target.sh(TREE), await target.sh(PROCESSES)];
  const { status, stdout } = await bootstrap(target, bundle, OPTIONS);
  expect(stdout).toContain('Nothing changed.');
  expect(status).toBe(0);
  expect(await target.sh(TREE)).toBe(tree);
  expect(await target.sh(PROCESSES)).toBe(processes);
});

test('--check examines and finds nothing wrong', async () => {
  const { status, stdout } = await bootstrap(target, bundle, ['--check']);
  expect(status, stdout).toBe(0);
});
