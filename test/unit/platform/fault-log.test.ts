import { expect, test } from 'vitest';
import { createFaultLog } from '../../../src/platform/fault-log.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordingLog } from '../../support/recording.ts';

const MINUTE_MS = 60_000;

function faults() {
  const clock = new FakeClock();
  const log = recordingLog();
  const startMs = clock.monotonicMs();
  const fault = createFaultLog(log, clock);
  return {
    clock,
    log,
    fails: (kind = 'I2C_NACK') => fault.failed(kind, { code: kind }, 'the sensor does not answer'),
    works: () => fault.works({}, 'the sensor answers again'),
    minute: () => (clock.monotonicMs() - startMs) / MINUTE_MS,
  };
}

test('a fault of a day is a warning at once, a few summaries and one line when it is over', async () => {
  const { clock, log, fails, works, minute } = faults();
  const saidAt: number[] = [];
  for (let i = 0; i < 24 * 60 * 2; i += 1) {
    const before = log.lines.length;
    fails();
    if (log.lines.length > before) saidAt.push(minute());
    await clock.advance(MINUTE_MS / 2);
  }
  works();
  works();
  expect(saidAt.slice(0, 7)).toEqual([0, 1, 3, 7, 15, 31, 63]);
  expect(saidAt.length).toBeLessThan(32);
  expect(log.lines[0]).toEqual({ level: 'warn', fields: { code: 'I2C_NACK' }, message: 'the sensor does not answer' });
  expect(log.lines[2]).toMatchObject({ fields: { code: 'I2C_NACK', repeated: 4 } });
  expect(log.lines.slice(saidAt.length)).toEqual([
    { level: 'info', fields: { failures: 2_880, afterSeconds: 86_400 }, message: 'the sensor answers again' },
  ]);
});

test('another kind of failure is news at once, and then counted for itself', async () => {
  const { clock, log, fails } = faults();
  for (let i = 0; i < 10; i += 1) {
    fails('I2C_NACK');
    fails('SENSOR_CRC');
    await clock.advance(1_000);
  }
  expect(log.lines.map((line) => line.fields)).toEqual([{ code: 'I2C_NACK' }, { code: 'SENSOR_CRC' }]);
});

test('a loose wire, failing and working in turns, does not fill the log', async () => {
  const { clock, log, fails, works } = faults();
  for (let i = 0; i < 2 * 60 * 24; i += 1) {
    fails();
    works();
    await clock.advance(MINUTE_MS / 2);
  }
  expect(log.lines.length).toBeLessThan(70);
  expect(log.lines.slice(0, 2).map((line) => line.level)).toEqual(['warn', 'info']);
});

test('every complaint is taken back, and nothing is taken back that was not said', async () => {
  const { clock, log, fails, works } = faults();
  works();
  fails();
  works();
  await clock.advance(1_000);
  fails();
  works();
  expect(log.lines.map((line) => line.level)).toEqual(['warn', 'info']);
});

test('a fault that comes back after a long good time is news again', async () => {
  const { clock, log, fails, works } = faults();
  for (let i = 0; i < 20; i += 1) {
    fails();
    await clock.advance(MINUTE_MS);
  }
  works();
  await clock.advance(16 * MINUTE_MS);
  const before = log.lines.length;
  fails();
  expect(log.lines.slice(before)).toEqual([
    { level: 'warn', fields: { code: 'I2C_NACK' }, message: 'the sensor does not answer' },
  ]);
});
