import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureInstalled } from './support/installation.ts';
import { Watch } from './support/proof.ts';
import { Recorder } from './support/recorder.ts';
import { DEVICE, DEVICE_CONF, Target } from './support/target.ts';

const target = new Target();
const recorder = new Recorder(target);

beforeAll(async () => {
  await ensureInstalled(target);
  await target.sh(`sed -i -E 's/^#?read_interval_seconds *=.*/read_interval_seconds = 300/' ${DEVICE_CONF}`);
  await target.sh(`systemctl restart ${DEVICE}`);
  await recorder.start();
});
afterAll(async () => {
  await recorder[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

test('systemctl stop ends it in order, and start takes up where it ended', async () => {
  const watch = new Watch(target, recorder);
  const offline = recorder.nextStatus('offline', ({ state }) => state === 'offline');
  await target.sh(`systemctl stop ${DEVICE}`);
  await offline;
  expect(await target.property(DEVICE, 'Result')).toBe('success');
  const reading = recorder.nextReading();
  await target.sh(`systemctl start ${DEVICE}`);
  await reading;
  await watch.prove('stop and start');
});

test('systemctl restart loses nothing and goes on with the next number', async () => {
  const watch = new Watch(target, recorder);
  const last = recorder.readings().at(-1);
  const next = recorder.nextReading();
  await target.sh(`systemctl restart ${DEVICE}`);
  const { epoch, seq } = await next;
  expect({ epoch, seq }).toEqual({ epoch: last?.epoch, seq: (last?.seq ?? 0) + 1 });
  await watch.prove('restart');
});

test('systemctl status tells the last reading in one line', async () => {
  await target.until('the last reading in the status', async () => {
    const { stdout } = await target.try(`systemctl status --no-pager ${DEVICE}`);
    return /Status: .*\d+(\.\d+)? °C/.test(stdout) && stdout;
  });
});

test('an edit takes effect with a restart', async () => {
  const watch = new Watch(target, recorder);
  const status = recorder.nextStatus('every 60 s', ({ interval_s }) => interval_s === 60);
  await target.sh(`sed -i "s/read_interval_seconds = 300/read_interval_seconds = 60/" ${DEVICE_CONF}`);
  await target.sh(`systemctl restart ${DEVICE}`);
  await status;
  // The first reading after a start comes at once, or a little later where the sensor had to be asked again: off the grid.
  await recorder.nextReading(90_000);
  const [first, second] = [await recorder.nextReading(90_000), await recorder.nextReading(90_000)];
  expect((second.tsMs - first.tsMs) / 1000).toBeCloseTo(60, 0);
  await watch.prove('edit and restart');
});

test('an edit takes effect without a restart, and systemctl reload confirms it', async () => {
  const watch = new Watch(target, recorder);
  const pid = await target.property(DEVICE, 'MainPID');
  const status = recorder.nextStatus('every 10 s', ({ interval_s }) => interval_s === 10);
  await target.sh(`sed -i "s/read_interval_seconds = 60/read_interval_seconds = 10/" ${DEVICE_CONF}`);
  await status;
  await target.sh(`systemctl reload ${DEVICE}`);
  const [first, second] = [await recorder.nextReading(), await recorder.nextReading()];
  expect((second.tsMs - first.tsMs) / 1000).toBeCloseTo(10, 0);
  expect(await target.property(DEVICE, 'MainPID')).toBe(pid);
  await watch.prove('edit without restart');
});

test('a wrong edit is refused with its line, by reload and in the status, and measuring goes on', async () => {
  const watch = new Watch(target, recorder);
  const mark = await target.journalMark();
  const rejected = recorder.nextStatus('the file is rejected', ({ config }) => config?.state === 'rejected');
  await target.sh(`cp ${DEVICE_CONF} /root/device.conf.good`);
  await target.sh(`sed -i "s/^read_interval_seconds = 10/read_interval_seconds = soon/" ${DEVICE_CONF}`);
  const { status } = await target.try(`systemctl reload ${DEVICE}`);
  expect(status).not.toBe(0);
  expect((await rejected).config?.error).toContain('read_interval_seconds');
  expect(await target.journalSince(mark, DEVICE)).toMatch(/device\.conf:\d+: .*read_interval_seconds/);
  expect(await target.isActive(DEVICE)).toBe(true);
  await recorder.nextReading();
  const mended = recorder.nextStatus('the file is accepted', ({ config }) => config?.state === 'ok');
  await target.sh(`cat /root/device.conf.good >${DEVICE_CONF} && systemctl reload ${DEVICE}`);
  await mended;
  await watch.prove('wrong edit');
});

test('a wrong edit before a start does not end the record: mending the file is enough', async () => {
  const watch = new Watch(target, recorder);
  await target.sh(`sed -i "s/^read_interval_seconds = 10/read_interval_seconds = soon/" ${DEVICE_CONF}`);
  await target.try(`systemctl restart ${DEVICE}`);
  await target.until('systemd tries again', async () => Number(await target.property(DEVICE, 'NRestarts')) > 0);
  const reading = recorder.nextReading(90_000);
  await target.sh(`cat /root/device.conf.good >${DEVICE_CONF}`);
  await reading;
  await watch.prove('wrong edit before a start');
});
