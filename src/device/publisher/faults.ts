import { OptionalSteps } from '../../mqtt/optional-steps.ts';
import type { Clock } from '../../platform/clock.ts';
import { createFaultLog, type FaultLog } from '../../platform/fault-log.ts';
import type { Log } from '../../platform/log.ts';

/** What a session does beside sending readings. */
export type OptionalStep =
  | 'receipts'
  | 'known servers'
  | 'servers'
  | 'commands'
  | 'Home Assistant'
  | 'status'
  | 'discovery'
  | 'latest';

/** What can be at fault independently of the rest. */
export type FaultPlace =
  | 'connection'
  | 'client id'
  | `subscription to ${OptionalStep}`
  | `without ${OptionalStep}`
  | 'subscribers'
  | 'record'
  | 'silent server'
  | 'message size'
  | 'reading'
  | 'backlog'
  | 'oversize'
  | 'receipts'
  | 'status'
  | 'latest'
  | 'discovery'
  | 'memory';

/** Something that is wrong at the moment. */
export interface Fault {
  readonly code: string;
  readonly message: string;
}

/** What is wrong at the moment, place by place: logged as states, and the newest of them published in `status`. */
export class Faults {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #logs = new Map<FaultPlace, FaultLog>();
  /** Newest last. */
  readonly #current = new Map<FaultPlace, Fault>();

  constructor(log: Log, clock: Clock, onChange: () => void) {
    this.#log = log;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** It failed, perhaps again. `loud`: the first time is an error, not a warning, for what only a person can repair. */
  failed(place: FaultPlace, code: string, message: string, loudness: 'normal' | 'loud' = 'normal'): void {
    const before = this.#current.get(place);
    this.#faultLog(place).failed(code, { code }, message, loudness);
    if (before?.message === message) return;
    this.#current.delete(place);
    this.#current.set(place, { code, message });
    this.#onChange();
  }

  failedWith(place: FaultPlace, error: unknown): void {
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'INTERNAL';
    this.failed(place, code, error instanceof Error ? error.message : String(error));
  }

  /** It works (again); said at info, as loud as it was said that it did not. */
  works(place: FaultPlace, message = `MQTT: ${place} works again`, fields: object = {}): void {
    if (!this.#current.delete(place)) return;
    this.#faultLog(place).works(fields, message);
    this.#onChange();
  }

  has(place: FaultPlace): boolean {
    return this.#current.has(place);
  }

  /** All that is wrong at the moment, oldest first. */
  all(): readonly Fault[] {
    return [...this.#current.values()];
  }

  /** The newest of what is wrong, for people. */
  last(): string | undefined {
    return [...this.#current.values()].at(-1)?.message;
  }

  #faultLog(place: FaultPlace): FaultLog {
    let faultLog = this.#logs.get(place);
    if (faultLog === undefined) {
      faultLog = createFaultLog(this.#log, this.#clock);
      this.#logs.set(place, faultLog);
    }
    return faultLog;
  }
}

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
