import { OptionalSteps } from '../../mqtt/optional-steps.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Faults, OptionalStep } from './faults.ts';

/** What is missing without it, for people. */
const LOSS: Readonly<Record<OptionalStep, string>> = {
  receipts: 'no receipts can be heard, and readings stay in the journal where receipts are waited for',
  'known servers': 'a server is noticed later',
  servers: 'a new server is noticed by its receipts only',
  commands: 'no reading on demand',
  'Home Assistant': 'its restarts are not noticed',
  status: 'the state of this device is not visible',
  discovery: 'Home Assistant does not find this device',
  latest: 'Home Assistant shows no values',
};

export type SessionSteps = OptionalSteps<OptionalStep>;

/**
 * The agent's optional steps; one that is left out is a fault. They go on for as long as the session does, so only a step that waits
 * for its answer is suspected.
 */
export function createSessionSteps(clock: Pick<Clock, 'monotonicMs'>, faults: Faults): SessionSteps {
  return new OptionalSteps<OptionalStep>({
    clock,
    suspectAfterMs: 0,
    onLeftOut: ({ name, what, error, pauseMs }) => {
      const message = `the broker ends the connection when ${what} (${error.message}); left out for ${pauseMs / 3_600_000} h: ${LOSS[name]}`;
      faults.failed(`without ${name}`, 'STEP_LEFT_OUT', message);
    },
    onUsed: (name) => faults.works(`without ${name}`),
  });
}
