import { expect, test } from 'vitest';
import { createLineOutput } from '../../../src/platform/log.ts';
import { createLog, type LogOptions } from '../../../src/platform/pino-log.ts';
import { FakeClock } from '../../support/fake-clock.ts';

async function collectingLog(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = await createLog({
    level: 'info',
    format: 'json',
    clock: new FakeClock({ nowMs: 1_795_227_665_998 }),
    env: {},
    output: (line) => lines.push(line) > 0,
    ...options,
  });
  return { log, lines };
}

test('a JSON line has level, time, fields and message, and nothing that the host knows anyway', async () => {
  const { log, lines } = await collectingLog();
  log.warn({ bus: 1, error: Object.assign(new Error('no'), { code: 'I2C_NACK' }), password: 'p' }, '100% %s %d %j');
  expect(lines).toEqual([
    '{"level":"warn","time":1795227665998,"bus":1,"error":{"code":"I2C_NACK","message":"no"},"password":"[secret]","msg":"100% %s %d %j"}\n',
  ]);
});

test('level and format change with the next line', async () => {
  const { log, lines } = await collectingLog();
  log.debug({}, 'not yet');
  log.configure({ level: 'debug', format: 'journald' });
  log.debug({ err: { code: 'X', message: 'm' } }, 'now');
  log.configure({ level: 'fatal', format: 'journald' });
  log.error({}, 'no longer');
  log.fatal({}, 'the end');
  expect(lines).toEqual(['<7>now err.code=X err.message=m\n', '<2>the end\n']);
});

test('stacks come with the level debug', async () => {
  const { log, lines } = await collectingLog({ format: 'journald' });
  log.info({ error: new Error('x') }, 'without');
  log.configure({ level: 'debug', format: 'journald' });
  log.info({ error: new Error('x') }, 'with');
  expect(lines[0]).not.toContain('stack');
  expect(lines[1]).toMatch(/error\.stack="Error: x\\n/);
});

test('lines that nobody could take are counted, and the count is told when somebody listens again', async () => {
  const lines: string[] = [];
  let listening = false;
  const { log } = await collectingLog({ format: 'journald', output: (line) => listening && lines.push(line) > 0 });
  log.info({}, 'one');
  log.info({}, 'two');
  listening = true;
  log.info({}, 'three');
  log.info({}, 'four');
  expect(lines).toEqual(['<4>log lines were lost: they were not read in time count=2\n', '<6>three\n', '<6>four\n']);
});

test('output continues after a write that took only a part, and waits a little for a full pipe', () => {
  const written: string[] = [];
  let calls = 0;
  const output = createLineOutput(2, (_fd, bytes, offset) => {
    calls += 1;
    if (calls === 2) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    written.push(Buffer.from(bytes.subarray(offset, offset + 4)).toString());
    return Math.min(4, bytes.length - offset);
  });
  expect(output('0123456789\n')).toBe(true);
  expect(written.join('')).toBe('0123456789\n');
});

test('a pipe that stays full holds up one line, not each', () => {
  let tries = 0;
  const output = createLineOutput(2, () => {
    tries += 1;
    throw Object.assign(new Error('full'), { code: 'EAGAIN' });
  });
  expect(output('one\n')).toBe(false);
  const triesForTheFirst = tries;
  expect(output('two\n')).toBe(false);
  expect(triesForTheFirst).toBeGreaterThan(1);
  expect(tries - triesForTheFirst).toBe(1);
});

test.each(['EPIPE', 'ENOSPC', 'EBADF'])('%s loses the line at once and never reaches the program', (code) => {
  const output = createLineOutput(2, () => {
    throw Object.assign(new Error(code), { code });
  });
  expect(output('x\n')).toBe(false);
});
