import { expect, test } from 'vitest';
import { createWatchdogFeeder } from '../../../src/platform/systemd.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const WATCHDOG_MS = 12_000;

function board() {
  const clock = new FakeClock();
  const startMs = clock.monotonicMs();
  const feedsAtMs: number[] = [];
  const words: string[] = [];
  const progress = createWatchdogFeeder({
    clock,
    watchdogMs: WATCHDOG_MS,
    feed: () => feedsAtMs.push(clock.monotonicMs() - startMs),
    onOverdue: (name, overdueMs) => words.push(`${name} is ${overdueMs} ms late`),
    onRecovered: (name, overdueMs) => words.push(`${name} moves again, ${overdueMs} ms late`),
  });
  return { clock, feedsAtMs, words, progress };
}

test('a beat feeds; time that passes without one never does', async () => {
  const { clock, feedsAtMs, progress } = board();
  const loop = progress.loop('sampler');
  loop.beat(4_000);
  await clock.advance(100_000);
  expect(feedsAtMs).toEqual([0]);
});

test('ten beats a second cost one datagram in a quarter of the watchdog’s time', async () => {
  const { clock, feedsAtMs, progress } = board();
  const loop = progress.loop('sampler');
  for (let i = 0; i <= 120; i += 1) {
    loop.beat(1_000);
    await clock.advance(100);
  }
  expect(feedsAtMs).toEqual([0, 3_000, 6_000, 9_000, 12_000]);
});

test('beats at the longest idle time keep every gap between feeds well below the limit, whatever their phase', async () => {
  for (let phaseMs = 0; phaseMs < 4_000; phaseMs += 250) {
    const { clock, feedsAtMs, progress } = board();
    const busy = progress.loop('publisher');
    busy.beat(progress.maxIdleMs);
    await clock.advance(phaseMs);
    for (let i = 0; i < 20; i += 1) {
      busy.beat(progress.maxIdleMs);
      await clock.advance(progress.maxIdleMs);
    }
    const gaps = feedsAtMs.slice(1).map((atMs, i) => atMs - (feedsAtMs[i] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(WATCHDOG_MS * 0.6);
  }
});

test('one loop that outstays its word holds back the feeding of all, until it moves again', async () => {
  const { clock, feedsAtMs, words, progress } = board();
  const sampler = progress.loop('sampler');
  const publisher = progress.loop('publisher');
  sampler.beat(2_000);
  for (let second = 1; second <= 30; second += 1) {
    await clock.advance(1_000);
    publisher.beat(4_000);
  }
  expect(feedsAtMs).toEqual([0, 3_000]);
  expect(words).toEqual(['sampler is 2000 ms late']);
  sampler.beat(2_000);
  expect(feedsAtMs).toEqual([0, 3_000, 30_000]);
  expect(words).toEqual(['sampler is 2000 ms late', 'sampler moves again, 28000 ms late']);
});

test('no loop is blamed when the whole process was kept from running', async () => {
  const { clock, feedsAtMs, words, progress } = board();
  const sampler = progress.loop('sampler');
  const publisher = progress.loop('publisher');
  sampler.beat(2_000);
  publisher.beat(4_000);
  await clock.advance(9_000);
  publisher.beat(4_000);
  sampler.beat(2_000);
  expect(words).toEqual([]);
  expect(feedsAtMs).toEqual([0, 9_000]);
  // One that stays away is told by the next that is punctual.
  await clock.advance(3_900);
  publisher.beat(4_000);
  expect(words).toEqual(['sampler is 1900 ms late']);
});

test('a loop that sleeps for exactly the time it has named is not late on a busy machine', async () => {
  const { clock, feedsAtMs, words, progress } = board();
  const sampler = progress.loop('sampler');
  const publisher = progress.loop('publisher');
  sampler.beat(4_000);
  await clock.advance(4_900);
  publisher.beat(4_000);
  expect(feedsAtMs).toEqual([0, 4_900]);
  expect(words).toEqual([]);
});

test('a loop is waited for from its first beat to its end, and not before or after', async () => {
  const { clock, feedsAtMs, progress } = board();
  const sampler = progress.loop('sampler');
  const publisher = progress.loop('publisher');
  progress.loop('never started');
  sampler.beat(1_000);
  await clock.advance(10_000);
  publisher.beat(4_000);
  expect(feedsAtMs).toEqual([0]);
  sampler.end();
  publisher.beat(4_000);
  expect(feedsAtMs).toEqual([0, 10_000]);
});

test('idle loops wake at a third of the watchdog’s time', () => {
  expect(board().progress.maxIdleMs).toBe(4_000);
});

test('without a watchdog nothing is fed, but a loop that hangs is still told', async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const progress = createWatchdogFeeder({
    clock,
    watchdogMs: undefined,
    feed: () => told.push('feed'),
    onOverdue: (name) => told.push(name),
  });
  expect(progress.maxIdleMs).toBe(Number.POSITIVE_INFINITY);
  progress.loop('sampler').beat(1_000);
  await clock.advance(60_000);
  progress.loop('publisher').beat(1_000);
  expect(told).toEqual(['sampler']);
});
