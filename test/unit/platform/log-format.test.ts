import { expect, test } from 'vitest';
import { decideFormat, journaldLine, type LogPlace, prettyLine, wantsColour } from '../../../src/platform/log.ts';

const AT_MS = new Date(2026, 10, 21, 14, 3, 7).getTime();

function place(env: LogPlace['env'], terminal: LogPlace['terminal'] = 'no'): LogPlace {
  return { env, device: 9n, inode: 12_345_678_901_234_567n, terminal };
}

test('auto means journald exactly where the output is its stream', () => {
  expect(decideFormat('auto', place({ JOURNAL_STREAM: '9:12345678901234567' }))).toBe('journald');
  expect(decideFormat('auto', place({ JOURNAL_STREAM: '9:12345678901234568' }))).toBe('json');
  expect(decideFormat('auto', place({ JOURNAL_STREAM: '9:1' }, 'yes'))).toBe('pretty');
  expect(decideFormat('auto', place({}))).toBe('json');
  expect(decideFormat('json', place({}, 'yes'))).toBe('json');
});

test('colours only on a terminal that wants them', () => {
  expect(wantsColour(place({ TERM: 'xterm' }, 'yes'))).toBe(true);
  expect(wantsColour(place({ TERM: 'xterm', NO_COLOR: '' }, 'yes'))).toBe(true);
  expect(wantsColour(place({ TERM: 'xterm', NO_COLOR: '1' }, 'yes'))).toBe(false);
  expect(wantsColour(place({ TERM: 'dumb' }, 'yes'))).toBe(false);
  expect(wantsColour(place({ TERM: 'xterm' }, 'no'))).toBe(false);
});

test.each([
  ['fatal', 2],
  ['error', 3],
  ['warn', 4],
  ['info', 6],
  ['debug', 7],
  ['trace', 7],
] as const)('under journald %s has priority %i', (level, priority) => {
  expect(journaldLine(level, 'hello', {})).toBe(`<${priority}>hello\n`);
});

test('fields follow the message as pairs, nested ones by their path', () => {
  const fields = {
    bus: 1,
    text: 'two words',
    empty: '',
    none: null,
    gone: undefined,
    list: [1, 'a'],
    error: { code: 'X', cause: { code: 'Y' } },
  };
  expect(journaldLine('warn', 'no answer', fields)).toBe(
    '<4>no answer bus=1 text="two words" empty="" none=null list=[1,"a"] error.code=X error.cause.code=Y\n',
  );
});

test('an error whose words are in the message adds its code alone', () => {
  const err = { code: 'I2C_NACK', message: 'nothing at 0x38', cause: { code: 'ENXIO', message: 'no such device' } };
  expect(journaldLine('warn', 'no reading: nothing at 0x38', { err })).toBe(
    '<4>no reading: nothing at 0x38 err.code=I2C_NACK err.cause.code=ENXIO err.cause.message="no such device"\n',
  );
});

test('nothing in a line can end it, forge a priority or move the cursor', () => {
  const line = journaldLine('info', 'broker said\n<0>panic\u001B[2J', {
    reason: 'a\n<0>b\u009B2J',
    stack: 'x\n  at y',
  });
  expect(line).toBe('<6>broker said <0>panic\\u001b[2J reason="a\\n<0>b\\u009b2J" stack="x\\n  at y"\n');
});

test('pretty has the local time, and colours where wanted', () => {
  expect(prettyLine('warn', 'no answer', { bus: 1 }, { timeMs: AT_MS, colour: false })).toBe(
    '14:03:07 WARN  no answer bus=1\n',
  );
  expect(prettyLine('warn', 'no answer', {}, { timeMs: AT_MS, colour: false, program: 'server' })).toBe(
    '14:03:07 server WARN  no answer\n',
  );
  expect(prettyLine('error', 'no answer', {}, { timeMs: AT_MS, colour: true })).toBe(
    '\u001B[90m14:03:07\u001B[0m \u001B[31mERROR\u001B[0m no answer\u001B[90m\u001B[0m\n',
  );
});
