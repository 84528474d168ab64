import type { Clock } from '../common/clock.ts';
import type { Notifier } from '../common/notify.ts';

/** `systemctl status` is looked at by people: a line a second is plenty when readings come ten times as fast. */
const LINE_EVERY_MS = 1_000;

interface StatusSayerParts {
  readonly notifier: Pick<Notifier, 'status'>;
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  readonly stop: AbortSignal;
  readonly line: () => string;
}

/**
 * Writes the line of `systemctl status`: at once when there is news, else now and then. What is held back follows: a reading is
 * stored milliseconds after it was taken, and until the next one, minutes later, the line must not say that it waits.
 */
export function createStatusSayer({
  notifier,
  clock,
  stop,
  line,
}: StatusSayerParts): (word: 'news' | 'routine') => void {
  let nextMs = Number.NEGATIVE_INFINITY;
  let isPlanned = false;
  const write = (): void => {
    nextMs = clock.monotonicMs() + LINE_EVERY_MS;
    notifier.status(line());
  };
  const planned = (): void => {
    isPlanned = false;
    write();
  };
  return (word) => {
    const waitMs = nextMs - clock.monotonicMs();
    if (word === 'news' || waitMs <= 0) {
      write();
    } else if (!isPlanned) {
      isPlanned = true;
      clock.sleep(waitMs, stop).then(planned, () => undefined);
    }
  };
}
