import { OptionalSteps } from '../../mqtt/optional-steps.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';

/** What is missing without it, for people. */
const LOSS = {
  announcement: 'agents that do not know this server yet send their readings one by one, and wait for no receipt',
  drops: 'it is not known when the broker drops messages',
} as const;

export type IngestStep = keyof typeof LOSS;
export type IngestSteps = OptionalSteps<IngestStep>;

/** A broker that hangs up because of a step does it at once. */
const SUSPECT_AFTER_MS = 5_000;
const HOUR_MS = 3_600_000;

/** The server's optional steps: two at the begin of each session. Some brokers end the connection at a subscription to `$SYS`. */
export function createIngestSteps(clock: Pick<Clock, 'monotonicMs'>, log: Pick<Log, 'info' | 'warn'>): IngestSteps {
  return new OptionalSteps<IngestStep>({
    clock,
    suspectAfterMs: SUSPECT_AFTER_MS,
    onLeftOut: ({ name, what, pauseMs }) => {
      const time = pauseMs === HOUR_MS ? 'an hour' : `${pauseMs / HOUR_MS} hours`;
      log.warn(
        { step: what },
        `the broker ends the connection on ${what}: it is left out for ${time}. Without it ${LOSS[name]}`,
      );
    },
    onUsed: (_name, what, why) => {
      if (why === 'done') return;
      log.info({ step: what }, `${what} is not the reason why the broker ends the connection: it is used again`);
    },
  });
}

/** What is left out at the moment, in sentences for people. */
export function leftOutInWords(steps: IngestSteps): readonly string[] {
  return steps.leftOut().map(({ what }) => `${what} is left out, because the broker ends the connection on it`);
}
