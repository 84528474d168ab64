import { describe, expect, it } from 'vitest';
import { createStatusLineWriter } from '../../../src/device/status.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('what systemctl status is told', () => {
  function sayer(): {
    clock: FakeClock;
    lines: string[];
    facts: { buffered: number };
    say: (word: 'news' | 'routine') => void;
  } {
    const clock = new FakeClock();
    const lines: string[] = [];
    const facts = { buffered: 0 };
    const { signal: stop } = new AbortController();
    const notifier = { status: (text: string) => void lines.push(text) };
    return {
      clock,
      lines,
      facts,
      say: createStatusLineWriter({ notifier, clock, stop, line: () => `${facts.buffered} buffered` }),
    };
  }

  it('is written at once when there is news', () => {
    const { lines, say } = sayer();
    say('news');
    say('news');
    expect(lines).toEqual(['0 buffered', '0 buffered']);
  });

  it('is written once a second at most for what comes all the time', async () => {
    const { clock, lines, say } = sayer();
    for (let count = 0; count < 30; count += 1) {
      say('routine');
      await clock.advance(100);
    }
    expect(lines.length).toBeGreaterThanOrEqual(3);
    expect(lines.length).toBeLessThanOrEqual(4);
  });

  it('never keeps an old line: a receipt right after a reading is told a second later', async () => {
    const { clock, lines, facts, say } = sayer();
    facts.buffered = 1;
    say('routine');
    facts.buffered = 0;
    await clock.advance(20);
    say('routine');
    expect(lines).toEqual(['1 buffered']);
    await clock.advance(1_000);
    expect(lines).toEqual(['1 buffered', '0 buffered']);
  });

  it('is left as it is after the end', async () => {
    const clock = new FakeClock();
    const lines: string[] = [];
    const controller = new AbortController();
    const notifier = { status: (text: string) => void lines.push(text) };
    const say = createStatusLineWriter({ notifier, clock, stop: controller.signal, line: () => 'line' });
    say('routine');
    say('routine');
    controller.abort();
    await clock.advance(5_000);
    expect(lines).toEqual(['line']);
  });
});
