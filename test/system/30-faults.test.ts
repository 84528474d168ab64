import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ensureInstalled, setInterval } from './support/installation.ts';
import { Watch } from './support/proof.ts';
import { Recorder } from './support/recorder.ts';
import { note } from './support/results.ts';
import { readSettings, title } from './support/settings.ts';
import { DEVICE, SERVER, Target } from './support/target.ts';

const INTERVAL_S = 5;
const OUTAGE_MS = 45_000;

const { hooks, mayFillDisk } = readSettings();
const target = new Target();
const recorder = new Recorder(target);

beforeAll(async () => {
  await ensureInstalled(target);
  await setInterval(target, INTERVAL_S);
  await recorder.start();
});
beforeEach(async () => {
  await recorder.nextReading(180_000);
});
afterAll(async () => {
  await recorder[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

test('kill -9 of the agent, again and again: it is back in seconds and no number is missing', async () => {
  const watch = new Watch(target, recorder);
  for (let round = 0; round < 3; round += 1) {
    const pid = await target.property(DEVICE, 'MainPID');
    await target.sh(`kill -9 ${pid}`);
    const killedMs = Date.now();
    await recorder.nextReading(90_000);
    note(target, `kill -9: the next reading after ${Math.round((Date.now() - killedMs) / 1000)} s`);
  }
  const { unrecorded } = await watch.prove('kill -9 of the agent, 3 times');
  // What the sensor measured while nobody lived to write it down: the one of the moment, and that of the doctor at a start.
  expect(unrecorded.length).toBeLessThanOrEqual(3);
});

test('kill -9 of the server loses nothing', async () => {
  const watch = new Watch(target, recorder);
  await target.sh(`kill -9 $(systemctl show ${SERVER} -p MainPID --value)`);
  await target.until('the server is back', async () => await target.isActive(SERVER), 120_000);
  const { unrecorded } = await watch.prove('kill -9 of the server');
  expect(unrecorded).toEqual([]);
});

test('the broker gone and back: everything measured meanwhile is delivered', async () => {
  const watch = new Watch(target, recorder);
  const before = await restarts();
  await target.sh('systemctl stop mosquitto');
  await sleep(OUTAGE_MS);
  expect(await target.isActive(DEVICE)).toBe(true);
  await target.sh('systemctl start mosquitto');
  const { unrecorded } = await watch.prove('broker away for 45 s');
  expect(unrecorded).toEqual([]);
  expect(await restarts()).toEqual(before);
});

describe(title('a sensor that can be made to fail', { FAULT: hooks.fault }), () => {
  const isMissing = hooks.fault === undefined;

  test.skipIf(isMissing)('unplugged and back: a published fault, no invented reading, no restart', async () => {
    const watch = new Watch(target, recorder);
    const before = await restarts();
    const fault = recorder.nextStatus('the sensor is gone', ({ sensor }) => sensor?.state === 'fault', 90_000);
    await target.sensor('power off');
    await fault;
    const count = recorder.readings().length;
    await sleep(15_000);
    expect(recorder.readings().length).toBe(count);
    await target.sensor('power on');
    await recorder.nextReading(120_000);
    expect(await restarts()).toEqual(before);
    const { unrecorded } = await watch.prove('sensor unplugged and back');
    expect(unrecorded.length).toBeLessThanOrEqual(1);
  });

  test.skipIf(isMissing)('garbled frames are measured again, not recorded', async () => {
    const watch = new Watch(target, recorder);
    await target.sensor('fault crc on p=0.3');
    for (let count = 0; count < 5; count += 1) await recorder.nextReading();
    await target.sensor('fault clear');
    await recorder.nextReading();
    await watch.prove('three frames of ten garbled');
  });
});

describe(title('a bus that can be made to hang', { HANG_BUS: hooks.hangBus, FREE_BUS: hooks.freeBus }), () => {
  const isMissing = hooks.hangBus === undefined || hooks.freeBus === undefined;

  test.skipIf(isMissing)('the watchdog bites while the bus hangs, and measuring goes on when it is free', async () => {
    const watch = new Watch(target, recorder);
    const mark = await target.journalMark();
    const before = await restarts();
    await target.hook('hangBus');
    const hungMs = Date.now();
    try {
      const bitten = async (): Promise<boolean> => /Watchdog timeout/i.test(await target.journalSince(mark, DEVICE));
      await target.until('the watchdog bites', bitten, 240_000);
      note(target, `watchdog: bites ${Math.round((Date.now() - hungMs) / 1000)} s after the bus began to hang`);
    } finally {
      await target.hook('freeBus');
    }
    await recorder.nextReading(240_000);
    expect(await restarts()).not.toEqual(before);
    await watch.prove('watchdog bite');
  });
});

describe(title('a disk that may be filled', { FILL_DISK: mayFillDisk }), () => {
  test.skipIf(!mayFillDisk)(
    'disk full: nothing is acknowledged that is not stored, and measuring goes on in what the journal has set aside, also after a restart',
    async () => {
      await setInterval(target, 2);
      const watch = new Watch(target, recorder);
      const before = await target.property(SERVER, 'NRestarts');
      const mark = await target.journalMark();
      await target.sh(FILL_DISK);
      try {
        const refuses = async (): Promise<boolean> =>
          /STORE_FULL|SQLITE_FULL/.test(await target.journalSince(mark, SERVER));
        await target.until('the server acknowledges nothing', refuses, 120_000);
        await untilBuffered(10);
        // At a start systemd makes folders in /var/tmp for the unit: with not one block left for root it cannot, and tries again each 5 s.
        await target.sh(`ls -S -r ${FILLER}* | head -n 8 | xargs rm -f; systemctl restart --no-block ${DEVICE}`);
        await target.until('the agent runs again', () => target.isActive(DEVICE), 240_000);
        await untilBuffered(25);
        expect(await target.isActive(SERVER)).toBe(true);
      } finally {
        await target.sh('rm -f /var/lib/techtemp-system-filler*; sync');
      }
      const { unrecorded } = await watch.prove('disk full');
      // A machine that is too busy can fail to measure: each such conversion is told as a fault, and none is lost otherwise.
      const faults = (await target.journalSince(mark, DEVICE))
        .split('\n')
        .filter((line) => line.includes('no reading: '));
      expect(unrecorded.length).toBeLessThanOrEqual(faults.length);
      expect(await target.property(SERVER, 'NRestarts')).toBe(before);
      await setInterval(target, INTERVAL_S);
    },
  );
});

/** So many readings wait on the device, in its journal on the disk. */
async function untilBuffered(count: number): Promise<void> {
  const isThere = async (): Promise<boolean> =>
    Number(/; (\d+) buffered/.exec(await target.property(DEVICE, 'StatusText'))?.[1] ?? 0) >= count;
  await target.until(`${count} readings wait on the device`, isThere, 240_000);
}

/** Until not even root, for whom a file system keeps a reserve, can write another byte. */
const FILLER = '/var/lib/techtemp-system-filler';
const FILL_DISK = `
df -B1 --output=avail /var/lib | tail -n 1 | xargs -I{} fallocate -l {} /var/lib/techtemp-system-filler 2>/dev/null
for size in 64M 8M 1M 64K 4K; do
  number=0
  while dd if=/dev/zero of=/var/lib/techtemp-system-filler-$size-$number bs=$size count=1 conv=fsync 2>/dev/null; do
    number=$((number + 1))
  done
done
df /var/lib | tail -n 1`;

/** How often systemd had to start device and server again. */
async function restarts(): Promise<readonly string[]> {
  return [await target.property(DEVICE, 'NRestarts'), await target.property(SERVER, 'NRestarts')];
}
