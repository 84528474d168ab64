import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureInstalled, setInterval } from './support/installation.ts';
import { type StoredReading, Watch } from './support/proof.ts';
import { Recorder } from './support/recorder.ts';
import { note } from './support/results.ts';
import { readSettings, title } from './support/settings.ts';
import { DEVICE, DEVICE_CONF, Target } from './support/target.ts';

const INTERVAL_S = 5;

const { hooks } = readSettings();
const target = new Target();
const recorder = new Recorder(target);

beforeAll(async () => {
  await ensureInstalled(target);
  await setInterval(target, INTERVAL_S);
  await recorder.start();
});
afterAll(async () => {
  await recorder[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

describe(title('a plug that can be pulled', { POWER_CUT: hooks.powerCut, BOOT: hooks.boot }), () => {
  const isMissing = hooks.powerCut === undefined || hooks.boot === undefined;

  test.skipIf(isMissing)(
    'power cut while it measures and delivers: it comes up by itself, and nothing is missing',
    async () => {
      const watch = new Watch(target, recorder);
      await recorder.nextReading(180_000);
      await target.powerCut();
      const bootMs = await target.boot();
      await recorder.nextReading(300_000);
      const { unrecorded } = await watch.prove('power cut');
      expect(unrecorded.length).toBeLessThanOrEqual(2);
      await noteStart('power cut', bootMs);
    },
  );

  test.skipIf(isMissing)(
    'power cut while the broker is away and readings wait on the device: none is lost',
    async () => {
      const watch = new Watch(target, recorder);
      await target.sh('systemctl stop mosquitto');
      await sleep(30_000);
      await target.powerCut();
      await target.boot();
      await recorder.nextReading(300_000);
      const { unrecorded } = await watch.prove('power cut with a backlog');
      expect(unrecorded.length).toBeLessThanOrEqual(2);
    },
  );

  test.skipIf(isMissing)('power cut in the middle of a delivery after an outage', async () => {
    const watch = new Watch(target, recorder);
    await target.sh('systemctl stop mosquitto');
    await sleep(60_000);
    await target.sh('systemctl start mosquitto');
    await recorder.nextReading(120_000);
    await target.powerCut();
    await target.boot();
    await recorder.nextReading(300_000);
    const { unrecorded } = await watch.prove('power cut in a delivery');
    expect(unrecorded.length).toBeLessThanOrEqual(2);
  });
});

describe(title('a clock that can be wrong at boot', { BOOT_IN_THE_PAST: hooks.bootInThePast }), () => {
  const isMissing = hooks.bootInThePast === undefined;

  test.skipIf(isMissing)('readings taken before the clock is set get their true time', async () => {
    const watch = new Watch(target, recorder);
    // On a slow machine the time service may take longer than readings wait for it by default.
    await target.sh(`sed -i -E 's/^#?clock_wait_seconds *=.*/clock_wait_seconds = 3600/' ${DEVICE_CONF}`);
    await target.shutDown();
    const offMs = Date.now();
    await target.boot('bootInThePast');
    await target.until('the clock is set', async () => (await target.sh(CLOCK_IS_SET)) === 'yes', 300_000);
    await recorder.nextReading(300_000);
    const { readings, unrecorded } = await watch.prove('clock in the past at boot');
    expect(unrecorded).toEqual([]);
    const sinceBoot = readings.filter(({ tsMs }) => tsMs >= offMs);
    expect(sinceBoot.length).toBeGreaterThan(0);
    expect(sinceBoot.filter(({ isUnsynced }) => isUnsynced)).toEqual([]);
    expect(inOrder(readings)).toBe(true);
    await target.sh(`sed -i -E 's/^clock_wait_seconds/#&/' ${DEVICE_CONF}`);
  });
});

describe(title('a network that can be absent', { BOOT_OFFLINE: hooks.bootOffline }), () => {
  const isMissing = hooks.bootOffline === undefined;

  test.skipIf(isMissing)('an offline boot measures, and delivers to a server on the same machine', async () => {
    const watch = new Watch(target, recorder);
    await target.shutDown();
    const bootMs = await target.boot('bootOffline');
    await recorder.nextReading(400_000);
    await watch.prove('offline boot');
    await noteStart('offline boot', bootMs);
    await target.shutDown();
    await target.boot();
  });
});

const CLOCK_IS_SET = 'timedatectl show -p NTPSynchronized --value';

/** From the start of the kernel to the unit's READY, which comes after the first measurement. */
async function noteStart(what: string, bootMs: number): Promise<void> {
  const readyS = Number(await target.property(DEVICE, 'ActiveEnterTimestampMonotonic')) / 1e6;
  const startedS = Number(await target.property(DEVICE, 'ExecMainStartTimestampMonotonic')) / 1e6;
  const system = (await target.sh('systemd-analyze time')).split('\n')[0] ?? '';
  const [agent, ready] = [startedS.toFixed(1), readyS.toFixed(1)];
  note(target, `${what}: agent started ${agent} s after the kernel, first reading measured ${ready} s after it`);
  note(target, `${what}: the machine answered over ssh ${Math.round(bootMs / 1000)} s after power-on; ${system}`);
}

/** Numbers and times grow together. */
function inOrder(readings: readonly StoredReading[]): boolean {
  return readings.every(({ epoch, seq, tsMs }) =>
    readings.every((other) => other.epoch !== epoch || other.seq <= seq || other.tsMs > tsMs),
  );
}
