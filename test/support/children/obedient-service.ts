import { createInterface } from 'node:readline';
import { createSystemClock } from '../../../src/platform/clock.ts';
import { createNotifier, createWatchdogFeeder } from '../../../src/platform/systemd.ts';

/** A service that does what it is told on standard input, one word a line, with the real sd-notify and a watchdog. */
const clock = createSystemClock();
const notifier = await createNotifier({ env: process.env, pid: process.pid, clock });
const board = createWatchdogFeeder({ clock, watchdogMs: notifier.watchdogMs, feed: () => notifier.watchdog() });
const sampler = board.loop('sampler');
const publisher = board.loop('publisher');
const PUBLISH_MS = 10;
const BLOCK_MS = 3_000;

const words: Readonly<Record<string, () => void>> = {
  ready: () => notifier.ready(),
  reloading: () => notifier.reloading(),
  stopping: () => notifier.stopping(),
  status: () => notifier.status('21.5 °C, 100%s %n\nREADY=1'),
  // Names 300 ms and then hangs, until told again.
  sample: () => sampler.beat(300),
  publish: () => void setInterval(() => publisher.beat(100), PUBLISH_MS),
  block: () => {
    for (const endMs = Date.now() + BLOCK_MS; Date.now() < endMs; );
  },
};

console.log(`watchdog ${notifier.watchdogMs ?? 'none'}`);
for await (const word of createInterface({ input: process.stdin })) {
  words[word]?.();
  console.log(`done ${word} ${process.hrtime.bigint() / 1000n}`);
}
process.exit();
