import { describe, expect, it } from 'vitest';
import { LoopHeartbeat } from '../../../src/platform/systemd.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { recordingProgress } from '../../support/recording.ts';

const MAX_IDLE_MS = 10_000;

function started(loop: Promise<void>): {
  clock: FakeClock;
  heartbeat: LoopHeartbeat;
  beats: number[];
  over: Promise<void>;
  ends: () => number;
} {
  const clock = new FakeClock();
  const progress = recordingProgress();
  let ends = 0;
  const heartbeat = new LoopHeartbeat(clock, { ...progress, end: () => void (ends += 1) }, MAX_IDLE_MS);
  return { clock, heartbeat, beats: progress.beats, over: heartbeat.accompany(loop), ends: () => ends };
}

describe('the heartbeat of the publisher', () => {
  it('beats while it idles, naming the longest time that it will be silent', async () => {
    const { clock, beats } = started(new Promise(() => undefined));
    await clock.advance(35_000);
    expect(beats).toEqual([MAX_IDLE_MS, MAX_IDLE_MS, MAX_IDLE_MS, MAX_IDLE_MS]);
  });

  it('falls silent when a piece of work outstays its word, and recovers with it', async () => {
    const { clock, heartbeat, beats } = started(new Promise(() => undefined));
    let finish: () => void = () => undefined;
    const work = heartbeat.during(15_000, new Promise<void>((resolve) => (finish = resolve)));
    await clock.advance(14_000);
    const before = beats.length;
    await clock.advance(60_000);
    expect(beats.length).toBe(before);
    heartbeat.beat();
    expect(beats.length).toBe(before);
    finish();
    await work;
    expect(beats.length).toBe(before + 1);
  });

  it('counts work that failed as finished', async () => {
    const { clock, heartbeat, beats } = started(new Promise(() => undefined));
    await expect(heartbeat.during(5_000, Promise.reject(new Error('no')))).rejects.toThrow('no');
    const before = beats.length;
    await clock.advance(20_000);
    expect(beats.length).toBe(before + 2);
  });

  it('ends with its loop, and leaves nothing asleep', async () => {
    let finish: () => void = () => undefined;
    const { clock, over, ends } = started(new Promise((resolve) => (finish = resolve)));
    await settle();
    expect(clock.sleepers()).toBe(1);
    finish();
    await over;
    expect(ends()).toBe(1);
    expect(clock.sleepers()).toBe(0);
  });
});
