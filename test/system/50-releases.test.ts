import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Bundle,
  bootstrap,
  edit,
  ensureInstalled,
  INSTALL_LIMIT_MS,
  releaseThere,
  setInterval,
  UPGRADE,
  unpackThere,
  variantOf,
} from './support/installation.ts';
import { Watch } from './support/proof.ts';
import { Recorder } from './support/recorder.ts';
import { noteTranscript } from './support/results.ts';
import { readSettings, title } from './support/settings.ts';
import { DEVICE, DEVICE_CONF, SERVER, Target } from './support/target.ts';

const AGENT_FILE = 'dist/techtemp-device.js';
/** A release that cannot work need not be given long. */
const HEALTH = ['--health-seconds', '90'];

const { hooks } = readSettings();
const target = new Target();
const recorder = new Recorder(target);
let bundle: Bundle;
let second: Bundle;

beforeAll(async () => {
  bundle = await ensureInstalled(target);
  second = variantOf(bundle, 'b', (folder) => writeFileSync(join(folder, 'docs/second.md'), 'The second release.\n'));
  await setInterval(target, 5);
  await recorder.start();
});
afterAll(async () => {
  await recorder[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

test('an upgrade keeps configuration, journal and identity, and loses nothing', async () => {
  const watch = new Watch(target, recorder);
  const before = await kept();
  const { status, stdout } = await bootstrap(target, second, UPGRADE);
  noteTranscript(target, 'upgrade', stdout);
  expect(status, stdout).toBe(0);
  expect(await current()).toBe(second.release);
  expect(await releaseThere(target, 'previous')).toBe(bundle.release);
  expect(await kept()).toBe(before);
  await recorder.nextReading();
  await watch.prove('upgrade');
});

test('a release whose program does not even say its version touches nothing that runs', async () => {
  const pid = await target.property(DEVICE, 'MainPID');
  const dead = variantOf(bundle, 'x', (folder) => writeFileSync(join(folder, AGENT_FILE), 'process.exit(1);\n'));
  const { status, stdout } = await bootstrap(target, dead, UPGRADE);
  expect(status, stdout).not.toBe(0);
  expect(stdout).toContain('nothing that runs was touched');
  expect(await current()).toBe(second.release);
  expect(await target.property(DEVICE, 'MainPID')).toBe(pid);
});

test('a release that does not start is replaced by the one before it, by itself', async () => {
  await returnsFrom('c', 'a release that does not start', breakAgent);
});

test('a release that starts and never publishes a reading is replaced by the one before it', async () => {
  await returnsFrom('d', 'a release that never publishes', (folder) =>
    edit(join(folder, 'systemd/techtemp-device.service'), (text) =>
      text
        .replace(/^ExecStart=.*$/m, 'ExecStart=node -e "setInterval(() => {}, 1000)"')
        .replace('Type=notify', 'Type=exec'),
    ),
  );
});

test('a release that failed here is not tried again without being asked to', async () => {
  const broken = variantOf(bundle, 'c', breakAgent);
  const pid = await target.property(DEVICE, 'MainPID');
  const { status, stdout } = await bootstrap(target, broken, [...UPGRADE, ...HEALTH]);
  expect(status, stdout).not.toBe(0);
  expect(stdout).toContain('--force');
  expect(await current()).toBe(second.release);
  expect(await target.property(DEVICE, 'MainPID')).toBe(pid);
});

test('an upgrade while the broker is away is no reason to go back', async () => {
  const watch = new Watch(target, recorder);
  const third = variantOf(bundle, 'e', (folder) => rmSync(join(folder, 'CHANGELOG.md')));
  await target.sh('systemctl stop mosquitto');
  try {
    const { status, stdout } = await bootstrap(target, third, UPGRADE);
    expect(status, stdout).toBe(0);
    expect(await current()).toBe(third.release);
  } finally {
    await target.sh('systemctl start mosquitto');
  }
  await recorder.nextReading(180_000);
  await watch.prove('upgrade while the broker was away');
});

test('--rollback goes back to the release before', async () => {
  const watch = new Watch(target, recorder);
  const [from, to] = [await current(), await releaseThere(target, 'previous')];
  const { status, stdout } = await bootstrap(target, bundle, ['--rollback', '--yes']);
  expect(status, stdout).toBe(0);
  expect(await current()).toBe(to);
  expect(await current()).not.toBe(from);
  await recorder.nextReading();
  await watch.prove('rollback');
});

describe(title('a plug that can be pulled', { POWER_CUT: hooks.powerCut, BOOT: hooks.boot }), () => {
  const isMissing = hooks.powerCut === undefined || hooks.boot === undefined;

  test.skipIf(isMissing)('power cut between the switch and its confirmation: the next boot decides', async () => {
    const watch = new Watch(target, recorder);
    const before = await current();
    const broken = variantOf(bundle, 'f', breakAgent);
    const folder = await unpackThere(target, broken);
    const words = [...UPGRADE, '--health-seconds', '600'].map((word) => `'${word}'`).join(' ');
    const upgrade = target.try(`cd / && ${folder}/bootstrap-pi.sh ${words} </dev/null`, { limitMs: INSTALL_LIMIT_MS });
    upgrade.catch(() => undefined);
    await target.until('the switch', async () => (await current()) === broken.release, 300_000);
    await sleep(1_000);
    await target.powerCut();
    await upgrade.catch(() => undefined);
    await target.boot();
    await target.until('the release before is back', async () => (await current()) === before, 900_000);
    await recorder.nextReading(180_000);
    await watch.prove('power cut in a broken upgrade');
  });
});

/** It tells its version, so that it is taken for whole, and ends as soon as it shall run. */
function breakAgent(folder: string): void {
  edit(join(folder, AGENT_FILE), (text) =>
    text.replace('\n', "\nif (process.argv.includes('run')) process.exit(1);\n"),
  );
}

/** Tries an upgrade that must fail, say so, and leave what was there before, running. */
async function returnsFrom(word: string, what: string, change: (folder: string) => void): Promise<void> {
  const watch = new Watch(target, recorder);
  const [before, settings] = [await current(), await kept()];
  const { status, stdout } = await bootstrap(target, variantOf(bundle, word, change), [...UPGRADE, ...HEALTH]);
  noteTranscript(target, what, stdout);
  expect(status, stdout).not.toBe(0);
  expect(await current()).toBe(before);
  expect(await kept()).toBe(settings);
  // The way back does not wait for the services to be up.
  for (const unit of [DEVICE, SERVER]) await target.until(`${unit} is back`, () => target.isActive(unit), 120_000);
  await recorder.nextReading(120_000);
  await watch.prove(what);
}

async function current(): Promise<string> {
  return await releaseThere(target, 'current');
}

/** What no upgrade may touch: the configuration, and under which identity and in which epoch the agent counts. */
async function kept(): Promise<string> {
  const epochs = 'find /var/lib/private/techtemp/journal -mindepth 1 -maxdepth 2 -type d | sort';
  return await target.sh(`sha256sum ${DEVICE_CONF} /etc/techtemp/server.conf; ${epochs}`);
}
