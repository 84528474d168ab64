import { expect, test } from 'vitest';
import { oneAtATime } from '../../../src/platform/tasks.ts';
import { settle } from '../../support/fake-clock.ts';

test('a storm of requests during a run is answered by one more run after it', async () => {
  const ends: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const ask = oneAtATime(async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((resolve) => ends.push(resolve));
    running -= 1;
  });
  ask();
  for (let i = 0; i < 1_000; i += 1) ask();
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await settle();
  expect(ends).toHaveLength(2);
  ends[1]?.();
  await settle();
  expect(ends).toHaveLength(2);
  ask();
  expect(ends).toHaveLength(3);
  expect(most).toBe(1);
});
