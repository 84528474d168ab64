import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until a condition holds, looking again and again; fails after a generous limit with what it was about. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 100_000,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await sleep(5);
  }
}
