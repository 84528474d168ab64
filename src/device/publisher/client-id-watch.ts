import type { Clock } from '../../common/clock.ts';
import type { LinkError } from '../mqtt/link-session.ts';
import type { Faults } from './faults.ts';

/** Another client logged in with our client id (MQTT 5, 3.14.2.1). */
const TAKEN_OVER = 0x8e;
/** With MQTT 3.1.1 the broker just closes: so often within this time is a pattern, and no network that comes and goes. */
const SUSPICIOUS_CLOSES = 3;
const WINDOW_MS = 600_000;
/** So long without being pushed out again, and it is over. */
const CALM_MS = 600_000;

/** Notices that another client pushes us out. Both come back each time, so it goes on until a person ends it: one fault, not many. */
export class ClientIdWatch {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #faults: Faults;
  #closesMs: number[] = [];
  #seen = false;

  constructor(clock: Pick<Clock, 'monotonicMs'>, faults: Faults) {
    this.#clock = clock;
    this.#faults = faults;
  }

  /** How long a session has to last before `calm` may be called; undefined where there is nothing to get over. */
  calmInMs(): number | undefined {
    return this.#seen ? CALM_MS : undefined;
  }

  /** We were not pushed out for long enough, or have another client id. */
  calm(): void {
    this.#seen = false;
    this.#closesMs = [];
    this.#faults.works('client id');
  }

  /** The broker was not there: it is the one that comes and goes. */
  attemptFailed(): void {
    this.#closesMs = [];
  }

  /** A session that had been accepted is over. `blamed`: something else is known to be the reason. */
  sessionEnded(error: LinkError, clientId: string, blamed: boolean): void {
    const place = `client id "${clientId}"; give each its own client_id in section [mqtt]`;
    if (error.reasonCode === TAKEN_OVER) {
      this.#say('CLIENT_ID_TAKEN', `another client pushes us out of the broker: it has the same ${place}`);
      return;
    }
    if (blamed || error.code !== 'LINK_OFFLINE' || error.reasonCode !== undefined || error.cause !== undefined) return;
    const nowMs = this.#clock.monotonicMs();
    this.#closesMs = [...this.#closesMs.filter((ms) => nowMs - ms < WINDOW_MS), nowMs].slice(-SUSPICIOUS_CLOSES);
    if (this.#closesMs.length < SUSPICIOUS_CLOSES) return;
    const often = `the broker has accepted and closed our connection ${SUSPICIOUS_CLOSES} times within ${WINDOW_MS / 60_000} minutes`;
    this.#say('CLIENT_ID_TAKEN', `${often} without a reason: perhaps another client has the same ${place}`);
  }

  #say(code: string, message: string): void {
    this.#seen = true;
    this.#faults.failed('client id', code, message);
  }
}
